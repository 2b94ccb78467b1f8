"""Chat models: the protocol, clients, prompts, budget and cache. Public through :mod:`skrec.llm`."""

from skrec._chat._answer_cache import ChatCache
from skrec._chat._base import BaseChat, CallableChat, LanguageModel, as_chat
from skrec._chat._batch import CallStatistics, complete_batch, reason_of
from skrec._chat._budget import Budget, about_tokens
from skrec._chat._data_blocks import DataBlock, as_data, content_rng, delimited, read_blocks, token_in
from skrec._chat._messages import Message
from skrec._chat._openai import OpenAICompatibleChat
from skrec._chat._prompts import Prompt, read_prompt
from skrec._chat._results import ChatResult, ChatSettings, Usage
from skrec._chat._schema import closed_object, fits, list_of, names_of
from skrec._chat._stand_ins import in_given_order, repeat_data
from skrec._chat._text_writer import TextWriter, in_language, persistent_texts
from skrec._chat._transformers import TransformersChat
