"""The stand-in for a model."""

import json
import subprocess
import sys

import numpy as np

from skrec.feature_extraction import HashingTextEncoder

PROGRAM = """
import sys
from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
print(LLMTextEmbedder(HashingTextEncoder(8)).fit_transform(["a quiet film"]).tolist())
heavy = {"torch", "transformers", "sentence_transformers", "openai", "numba"} & set(sys.modules)
assert not heavy, heavy
"""


def test_same_vectors_in_every_process_and_no_heavy_import():
    here = HashingTextEncoder(8).encode(["a quiet film"]).tolist()
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"PYTHONHASHSEED": "1"}, capture_output=True, text=True, check=True
    )
    np.testing.assert_allclose(json.loads(there.stdout), here, atol=1e-6)


def test_shared_words_bring_texts_together():
    film, other_film, cook = HashingTextEncoder(256).encode(["a film on grief", "one film on grief", "pasta recipes"])
    assert film @ other_film > film @ cook


def test_rows_have_unit_length_or_are_zero():
    vectors = HashingTextEncoder().encode(["a b", "...", "a"])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1], rtol=1e-6)


def test_fingerprint_names_the_width():
    assert HashingTextEncoder(8).fingerprint != HashingTextEncoder(9).fingerprint
    assert HashingTextEncoder(8).fingerprint == HashingTextEncoder(8).fingerprint
