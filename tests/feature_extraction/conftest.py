"""Tiny random models, saved once a session: a BERT, a GPT and a sentence-transformers folder."""

import os

import numpy as np
import pytest

# Some tests start processes after texts were tokenised.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = SPECIAL + "a quiet film about grief the loud comedy of errors query : passage x y".split()  # noqa: SIM905


@pytest.fixture(autouse=True)
def empty_memory_cache():
    from skrec.feature_extraction import memory_cache

    memory_cache.clear()


@pytest.fixture
def no_network(monkeypatch):
    """Fail, and record, every attempt to reach another machine."""
    import socket

    attempts = []

    def refuse(*args, **kwargs):
        attempts.append(args)
        raise OSError("the network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return attempts


def _tokenizer(special: bool):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return tokenizer


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory):
    """A plain transformer folder, BERT-like."""
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    torch.set_num_threads(1)
    folder = str(tmp_path_factory.mktemp("bert"))
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(special=True),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=24,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def gpt_folder(tmp_path_factory):
    """A plain transformer folder, GPT-like: causal, absolute positions, no pad token, padding on the left."""
    import torch
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    torch.manual_seed(1)
    folder = str(tmp_path_factory.mktemp("gpt"))
    config = GPT2Config(vocab_size=len(WORDS), n_embd=16, n_layer=2, n_head=2, n_positions=24, initializer_range=0.5)
    GPT2Model(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(special=False), unk_token="[UNK]", padding_side="left", model_max_length=24
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sentence_folder(tmp_path_factory, bert_folder):
    """A sentence-transformers folder: cls pooling, a dense layer, unit length, prompts."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

    torch.manual_seed(2)
    model = SentenceTransformer(
        modules=[Transformer(bert_folder), Pooling(16, pooling_mode="cls"), Dense(16, 6), Normalize()],
        prompts={"query": "query : ", "passage": "passage : "},
        device="cpu",
    )
    folder = str(tmp_path_factory.mktemp("sentence"))
    model.save(folder)
    return folder


@pytest.fixture
def texts():
    """Texts of 1 to 12 words, some repeated."""
    rng = np.random.default_rng(0)
    distinct = [" ".join(rng.choice(WORDS[4:], size=rng.integers(1, 13))) for _ in range(40)]
    return distinct + distinct[:7]
