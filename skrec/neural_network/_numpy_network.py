"""The network in NumPy, for serving: a query vector per history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from skrec.neural_network._sequences import Sequences
from skrec.neural_network._shape import NetworkShape
from skrec.utils import check_array, check_choice, check_flag, check_kind, check_number, refuse_state

_ROWS = 64
_EPSILON = 1e-5  # torch's default of layer_norm
_GELU_SCALE, _GELU_CUBE = np.float32(np.sqrt(2 / np.pi)), np.float32(0.044715)


@dataclass(frozen=True)
class NumpyNetwork:
    """A trained network; its arrays are never written again.

    Attributes
    ----------
    shape : NetworkShape
    arrays : dict of str to float32 array
    """

    shape: NetworkShape
    arrays: dict[str, NDArray[np.float32]]

    def item_vectors(self, features: NDArray[np.float32] | None, active: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Vectors of the catalogue; those of items not seen in training are of their features alone."""
        vectors = self.arrays["item_factors"] * active[:, None]
        if features is not None and self.shape.n_features:
            vectors += features @ self.arrays["feature_map"]
        return vectors

    def query_vectors(
        self, sequences: Sequences, item_vectors: NDArray[np.float32], context: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Vectors of histories, from their latest events, moved by the context.

        Parameters
        ----------
        sequences : Sequences
        item_vectors : float32 array of shape (n_items, n_factors)
        context : float32 array of shape (n_rows, n_context), default=None
            Standardised.

        Returns
        -------
        float32 array of shape (n_rows, n_factors)
            Zero for a row without events and context.
        """
        vectors = np.zeros((len(sequences), self.shape.n_factors), np.float32)
        ends = sequences.indptr[1:]
        lengths = np.minimum(np.diff(sequences.indptr), self.shape.max_length)
        order = np.argsort(lengths, kind="stable")
        order = order[np.searchsorted(lengths[order], 1) :]
        for start in range(0, len(order), _ROWS):  # rows of like length, so that little is padded
            rows = order[start : start + _ROWS]
            vectors[rows] = self._encode(sequences, ends[rows] - lengths[rows], lengths[rows], item_vectors)
        if context is not None:
            vectors += context @ self.arrays["context_map"]
        return vectors

    def _encode(
        self, sequences: Sequences, starts: NDArray, lengths: NDArray, item_vectors: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        p, shape = self.arrays, self.shape
        place = np.arange(lengths.max())
        at = np.minimum(starts[:, None] + place, len(sequences.items) - 1)
        items = sequences.items[at]
        x = item_vectors[np.maximum(items, 0)]
        if "start" in p:
            x[items < 0] = p["start"]
        x = x * np.float32(np.sqrt(shape.n_factors))
        if sequences.gaps is not None and shape.has_gaps:
            x += p["gap_factors"][sequences.gaps[at]]
        elif shape.has_gaps:
            x += p["gap_factors"][0]
        last = np.arange(len(lengths)), lengths - 1
        if shape.architecture == "transformer":
            x += p["positions"][place]
            for layer in range(shape.n_layers):
                x = self._transform(x, f"layer{layer}_", last if layer == shape.n_layers - 1 else None)
            out = x[:, 0]
        else:
            for layer in range(shape.n_layers):
                x = self._recur(x, f"layer{layer}_")
            out = x[last]
        return self._normed(out, "final_")

    def _normed(self, x: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        centered = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.square(centered).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        return centered / spread * self.arrays[f"{name}scale"] + self.arrays[f"{name}shift"]

    def _transform(
        self, x: NDArray[np.float32], name: str, last: tuple[NDArray, NDArray] | None
    ) -> NDArray[np.float32]:
        """One layer; of the last one, only the last event of each row is needed."""
        p, (n, length, d) = self.arrays, x.shape
        h = self.shape.n_heads
        projected = self._normed(x, f"{name}attention_") @ p[f"{name}attention_in"] + p[f"{name}attention_in_bias"]
        query, key, value = projected.reshape(n, length, 3, h, d // h).transpose(2, 0, 3, 1, 4)
        visible = np.arange(length) <= np.arange(length)[:, None]
        if last is not None:
            query, x = query[last[0], :, last[1]][:, :, None], x[last][:, None]
            visible = (np.arange(length) <= last[1][:, None])[:, None, None]
        scores = query @ key.transpose(0, 1, 3, 2) * np.float32((d // h) ** -0.5)
        scores = np.where(visible, scores, np.float32(-np.inf))
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        attended = (weights @ value).transpose(0, 2, 1, 3).reshape(x.shape)
        x = x + attended @ p[f"{name}attention_out"] + p[f"{name}attention_out_bias"]
        hidden = self._normed(x, f"{name}hidden_") @ p[f"{name}hidden_in"] + p[f"{name}hidden_in_bias"]
        return x + _gelu(hidden) @ p[f"{name}hidden_out"] + p[f"{name}hidden_out_bias"]

    def _recur(self, x: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        p, d = self.arrays, self.shape.n_factors
        inputs = x @ p[f"{name}input"] + p[f"{name}input_bias"]
        state = np.zeros_like(x[:, 0])
        states = np.empty_like(x)
        for t in range(x.shape[1]):
            held = state @ p[f"{name}state"] + p[f"{name}state_bias"]
            gates = expit(inputs[:, t, : 2 * d] + held[:, : 2 * d])
            proposed = np.tanh(inputs[:, t, 2 * d :] + gates[:, :d] * held[:, 2 * d :])
            states[:, t] = state = proposed + gates[:, d:] * (state - proposed)
        return states


def _gelu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The approximation by tanh, as in training."""
    return np.float32(0.5) * x * (1 + np.tanh(_GELU_SCALE * (x + _GELU_CUBE * x * x * x)))


def check_network(value: object, name: str, n_items: int) -> None:
    """Check a loaded network.

    Raises
    ------
    DamagedStateError
    """
    check_kind(value, name, NumpyNetwork)
    assert isinstance(value, NumpyNetwork)
    shape = value.shape
    check_kind(shape, f"{name}.shape", NetworkShape)
    check_choice(shape.architecture, f"{name}.shape.architecture", ("transformer", "gru"))
    for size in ("n_factors", "n_layers", "n_heads", "max_length"):
        check_number(getattr(shape, size), f"{name}.shape.{size}", 1, 1 << 20, whole=True)
    for size in ("n_features", "n_context"):
        check_number(getattr(shape, size), f"{name}.shape.{size}", 0, 1 << 20, whole=True)
    check_flag(shape.has_gaps, f"{name}.shape.has_gaps")
    if shape.n_factors % shape.n_heads:
        refuse_state(f"{name}.shape.n_heads", str(shape.n_heads), f"a divisor of {shape.n_factors}")
    check_kind(value.arrays, f"{name}.arrays", dict)
    expected = shape.arrays(n_items)
    if value.arrays.keys() != expected.keys():
        refuse_state(f"{name}.arrays", f"a dict of {len(value.arrays)} arrays", f"{len(expected)} by name")
    for key, sizes in expected.items():
        check_array(value.arrays[key], f"{name}.arrays[{key!r}]", sizes, dtype=np.float32)
