"""Distinct texts embedded once: looked up, computed and stored."""

import os
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skrec.exceptions import TruncationWarning
from skrec.feature_extraction._encoders._chunks import ChunkedEmbedding
from skrec.feature_extraction._encoders._encoder import Encoder, ObjectEncoder
from skrec.feature_extraction._encoders._vector_cache import NoCache, VectorCache, cache_keys, open_cache
from skrec.utils import Scrubber, Verbose, caller_level, progress


def embed(
    texts: Sequence[str | None],
    encoder: Encoder,
    prompt: str,
    cache: str | os.PathLike | None,
    verbose: Verbose,
    scrubber: Scrubber | None = None,
    scrubbed: dict[str, int] | None = None,
) -> NDArray[np.float32] | None:
    """Embed texts, scrubbed where asked, as the model gives the vectors; a missing text gives a row of zeros.

    What is scrubbed is added to the counts in ``scrubbed``, where given; of each distinct text once.

    Returns
    -------
    ndarray of shape (n_texts, dimension), float32
        None if every text is missing.

    Warns
    -----
    TruncationWarning
        With the number of the texts that were cut. A text read from a cache is not counted again.
    """
    if scrubber is not None:
        clean = {text: scrubber(text) for text in set(texts) if text is not None}
        texts = [None if text is None else clean[text][0] for text in texts]
        for kind, n_found in sum((counts for _, counts in clean.values()), Counter()).items():
            if scrubbed is not None:
                scrubbed[kind] = scrubbed.get(kind, 0) + n_found
    position: dict[str, int] = {}
    inverse = [-1 if text is None else position.setdefault(valid_unicode(text), len(position)) for text in texts]
    if not position:
        return None
    distinct = _embed_distinct(list(position), encoder, prompt, cache, verbose)
    # Row -1, the last, is the zero vector of missing texts.
    return np.concatenate([distinct, np.zeros_like(distinct[:1])])[inverse]


def _embed_distinct(
    texts: list[str], encoder: Encoder, prompt: str, cache: str | os.PathLike | None, verbose: Verbose
) -> NDArray[np.float32]:
    store, name = _store_for(encoder, cache)
    # The prompt is not simply put before the text: some poolings leave it out.
    keys = cache_keys(f"{name}\n{prompt}", texts) if name is not None else [b""] * len(texts)
    embedding = ChunkedEmbedding(texts, keys, prompt, encoder, store)
    with progress(len(texts), "Embedding", "text", done=embedding.n_done, verbose=verbose) as bar:
        embedding.run(bar.update)
    if embedding.n_truncated:
        warnings.warn(
            f"{embedding.n_truncated} of {len(texts)} distinct texts were longer than the model reads and were cut. "
            "Raise max_length if the model allows it, or put what matters first.",
            TruncationWarning,
            stacklevel=caller_level(),
        )
    return embedding.stacked()


def _store_for(encoder: Encoder, cache: str | os.PathLike | None) -> tuple[VectorCache, str | None]:
    """The cache, and the name under which this encoder's vectors lie in it; no name, no cache."""
    if cache is None:
        return NoCache(), None
    name = encoder.fingerprint
    if name is None and isinstance(encoder, ObjectEncoder):
        # Known by identity only, which no other process could recognise: in memory, never on disk.
        cache, name = "memory", encoder.memory_fingerprint
    return (NoCache(), None) if name is None else (open_cache(cache), name)


def valid_unicode(text: str) -> str:
    """Text without lone surrogates, which no tokenizer and no JSON takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
