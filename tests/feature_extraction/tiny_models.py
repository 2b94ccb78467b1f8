"""Tiny random models of the architectures and tokenizers of multilingual encoders, saved as sentence-transformers."""

ENGLISH = ["a prison story", "life in prison", "the sea and the ship", "a garden in spring", "the story of a garden"]
OTHERS = [
    *("监狱里的故事", "监狱生活", "大海与帆船", "春天的花园"),
    *("刑務所の物語", "海と船の物語", "カメラの本"),
    *("тюремная история", "жизнь в тюрьме", "море и корабль"),
    *("قصة السجن", "الحياة في السجن", "البحر والسفينة"),
]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]

KINDS = {
    # tokenizer, architecture, pooling, prompts: of multilingual BERT, E5, BGE-M3 and GTE, multilingual MiniLM, Qwen3,
    # and the ModernBERT of later GTE
    "mBERT": ("wordpiece", "bert", "mean", {}),
    "E5": ("unigram", "xlm-roberta", "mean", {"query": "query: ", "document": "passage: "}),
    "BGE-M3, GTE": ("unigram", "xlm-roberta", "cls", {}),
    "multilingual MiniLM": ("unigram", "bert", "mean", {}),
    "GTE ModernBERT": ("bytes", "modernbert", "cls", {}),
    "Qwen3-Embedding": ("bytes", "qwen3", "lasttoken", {"query": "Instruct: find\nQuery:"}),
}


def save_model(folder, kind, texts):
    """A model of one kind whose tokenizer has seen the texts alone."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    tokens, architecture, pooling, prompts = KINDS[kind]
    tokenizer = _tokenizer(tokens, texts, pooling)
    torch.manual_seed(0)
    plain = str(folder / "plain")
    _network(architecture, len(tokenizer)).save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    modules = [Transformer(plain), Pooling(16, pooling_mode=pooling), Normalize()]
    SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save(str(folder / "model"))
    return str(folder / "model")


def _tokenizer(kind, texts, pooling):
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
        tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=500, special_tokens=SPECIAL, show_progress=False)
    elif kind == "unigram":
        # Written out, as training on a few lines would leave pieces of single letters.
        words = [(f"\u2581{word}", -4.0) for word in dict.fromkeys(" ".join(texts).split())]
        letters = [(letter, -9.0) for letter in dict.fromkeys("\u2581" + "".join("".join(texts).split()))]
        tokenizer = Tokenizer(models.Unigram([(token, 0.0) for token in SPECIAL] + words + letters, unk_id=3))
        tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
        trainer = None
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=1000,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    if trainer is not None:
        tokenizer.train_from_iterator(5 * texts, trainer)
    if pooling == "lasttoken":  # Qwen3 ends every text by the token that is pooled
        tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 2)])
    else:
        tokenizer.post_processor = processors.TemplateProcessing(
            "<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    unknown = {} if kind == "bytes" else {"unk_token": "<unk>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", model_max_length=64, **unknown
    )


def _network(architecture, n_tokens):
    from transformers import (
        BertConfig,
        BertModel,
        ModernBertConfig,
        ModernBertModel,
        Qwen3Config,
        Qwen3Model,
        XLMRobertaConfig,
        XLMRobertaModel,
    )

    size = {
        "vocab_size": n_tokens,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 80,
        "initializer_range": 0.5,
        "pad_token_id": 1,
    }
    if architecture == "qwen3":
        return Qwen3Model(Qwen3Config(**size, num_key_value_heads=1, head_dim=8))
    if architecture == "modernbert":
        size["initializer_range"] = 0.2
        return ModernBertModel(ModernBertConfig(**size, bos_token_id=0, cls_token_id=0, eos_token_id=2, sep_token_id=2))
    config, model = {"bert": (BertConfig, BertModel), "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel)}[architecture]
    return model(config(**size))
