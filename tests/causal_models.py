"""Tiny random causal models, saved once a session, with a tokenizer whose merges cross words."""

import os

import pytest

# Some tests start processes after texts were tokenised.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

CORPUS = [
    "a quiet film about grief and the loud comedy of errors",
    "the reader liked the quiet films, not the loud ones; which of them is next?",
    'User: rank them. Assistant: {"order": ["a", "b"]}',
]
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "<turn>{{ message['role'] }}\n{{ message['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<turn>assistant\n{% endif %}"
)
KINDS = ["gpt2", "llama", "sliding", "mamba"]


def _tokenizer(kind):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    # Spaces are bytes like others and merges may cross words, so that they also cross the end of a prompt.
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<begin>", "<end>", "<turn>"]
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    options = {"eos_token": "<end>", "additional_special_tokens": ["<turn>"]}
    if kind != "gpt2":
        begin = processors.TemplateProcessing("<begin> $A", special_tokens=[("<begin>", 0)])
        tokenizer.post_processor = begin
        options["bos_token"] = "<begin>"
    if kind == "sliding":
        options["chat_template"] = CHAT_TEMPLATE
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **options)


def _model(kind, vocab_size):
    import torch
    import transformers

    torch.manual_seed(3)
    common = {"vocab_size": vocab_size, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None}
    llama = {
        **common,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 160,
        "initializer_range": 0.3,
    }
    if kind == "gpt2":
        config = transformers.GPT2Config(
            **common, n_embd=32, n_layer=2, n_head=4, n_positions=160, initializer_range=0.3
        )
        return transformers.GPT2LMHeadModel(config)
    if kind == "llama":
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(**llama))
    if kind == "sliding":
        return transformers.MistralForCausalLM(transformers.MistralConfig(**llama, sliding_window=8))
    config = transformers.MambaConfig(
        **common, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.3
    )
    return transformers.MambaForCausalLM(config)


@pytest.fixture(scope="session")
def causal_folders(tmp_path_factory):
    """Folders of tiny causal models by kind: GPT-2-, Llama- and sliding-window-like, and a recurrent one.

    The sliding-window one has a chat template, which refuses a system message.
    """
    import torch

    torch.set_num_threads(1)
    folders = {}
    for kind in KINDS:
        tokenizer = _tokenizer(kind)
        folders[kind] = str(tmp_path_factory.mktemp(kind))
        _model(kind, len(tokenizer)).save_pretrained(folders[kind])
        tokenizer.save_pretrained(folders[kind])
    return folders


@pytest.fixture(params=KINDS)
def causal_folder(request, causal_folders):
    return causal_folders[request.param]
