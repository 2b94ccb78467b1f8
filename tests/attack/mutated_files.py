"""Saved models with something changed: bytes, shapes, dtypes, lengths and values of arrays, nodes of the schema.

Run as a program it is the child that loads them: a crash ends the child, and not the test.
"""

import io
import json
import sys
import warnings
import zlib
from zipfile import ZipFile

import numpy as np

_SECONDS = 15
_ODD = [50_000_000, -1, -50_000_000, 2**31 - 1, -(2**31), 2**63 - 1, 0, 1, 7, np.nan, np.inf, -np.inf, 1e30, 1e-30]
_ODD_JSON = [50_000_000, -1, 0, 2**70, 1e308, -0.5, float("nan"), float("inf"), None, True, "", "text", [], {"a": 1}]
_DTYPES = ["i4", "i8", "u8", "f4", "f8", "f2", "b1", "u1", "c8", "U4", ">i4", ">f4", "M8[s]", "S3"]


def mutated(archive, seed):
    """A changed copy of a saved model, the same for the same seed."""
    rng = np.random.default_rng(seed)
    with ZipFile(io.BytesIO(archive)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    for _ in range(1 + int(rng.random() < 0.3)):
        arrays = [name for name in members if name.endswith((".npy", ".npz"))]
        draw = rng.random()
        if draw < 0.6 and arrays:
            name = str(rng.choice(arrays))
            members[name] = _changed_member(members[name], rng, name.endswith(".npz"))
        elif draw < 0.7 and len(arrays) > 1:
            one, other = rng.choice(arrays, 2, replace=False)
            members[one] = members[other]
        elif draw < 0.75:
            name = str(rng.choice(list(members)))
            members[name] = _changed_bytes(members[name], rng)
        else:
            members["schema.json"] = _changed_schema(members["schema.json"], rng)
    return _archive(members)


def grown(archive, which):
    """A copy of a saved model in which one whole number of its schema is large; None where there are no more."""
    with ZipFile(io.BytesIO(archive)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    schema = json.loads(members["schema.json"])
    found = [node for node in _nodes(schema) if node.get("__loader__") == "JsonNode" and node["content"].isdigit()]
    if which >= len(found):
        return None
    found[which]["content"] = str(_ODD_JSON[0])
    return _archive(members | {"schema.json": json.dumps(schema).encode()})


def _archive(members):
    out = io.BytesIO()
    with ZipFile(out, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


def _changed_bytes(content, rng):
    changed = bytearray(content)
    for at in rng.integers(len(changed), size=int(rng.integers(1, 20))) if changed else []:
        changed[at] = rng.integers(256)
    return bytes(changed[: rng.integers(len(changed) + 1)] if rng.random() < 0.2 else changed)


def _changed_member(content, rng, is_npz):
    try:
        found = np.load(io.BytesIO(content))
        if not is_npz:
            return _npy(_changed_array(found, rng))
        parts = dict(found)
        name = str(rng.choice([name for name in parts if name not in ("format", "_is_array")]))
        parts[name] = _changed_array(parts[name], rng)
    except Exception:  # changed before
        return _changed_bytes(content, rng)
    out = io.BytesIO()
    np.savez(out, **parts)
    return out.getvalue()


def _npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


@np.errstate(all="ignore")
def _changed_array(array, rng):
    array, kind = np.array(array), rng.integers(7)
    if kind <= 2 and array.size:  # values
        flat = array.reshape(-1)
        at = rng.integers(len(flat), size=int(rng.integers(1, 4)))
        odd = _ODD[rng.integers(len(_ODD))]
        if array.dtype.kind in "iu" and (not np.isfinite(odd) or not float(odd).is_integer()):
            odd = len(flat)
        flat[at] = np.array(odd).astype(array.dtype)
        return array
    if kind == 3:  # length
        n = int(rng.integers(0, 2 * len(array) + 3)) if array.ndim else 0
        return np.resize(array, (n, *array.shape[1:]))
    if kind == 4:
        return array.astype(_DTYPES[rng.integers(len(_DTYPES))])
    if kind == 5 and array.size:  # shape
        shapes = [(-1,), (1, -1), (-1, 1), (*array.shape, 1), array.shape[::-1]]
        return array.reshape(shapes[rng.integers(len(shapes))])
    return np.asfortranarray(rng.permutation(array, axis=array.ndim - 1)) if array.ndim else array[None]


def _changed_schema(content, rng):
    try:
        schema = json.loads(content)
    except ValueError:
        return _changed_bytes(content, rng)
    nodes = [node for node in _nodes(schema) if "__loader__" in node]
    if not nodes:
        return content
    node, other = (nodes[rng.integers(len(nodes))] for _ in range(2))
    kind = rng.integers(6)
    numbers = [one for one in nodes if one["__loader__"] == "JsonNode"]
    if kind <= 1 and numbers:
        numbers[rng.integers(len(numbers))]["content"] = json.dumps(_ODD_JSON[rng.integers(len(_ODD_JSON))])
    elif kind == 2:  # one node in the place of another
        copied = json.loads(json.dumps(other))
        node.clear()
        node.update(copied)
    elif kind == 3:
        node["__class__"], node["__module__"] = other["__class__"], other["__module__"]
    elif kind == 4:
        node["__loader__"] = other["__loader__"]
    elif isinstance(node.get("content"), dict) and node["content"]:
        keys = list(node["content"])
        key = keys[rng.integers(len(keys))]
        value = node["content"].pop(key)
        if rng.random() < 0.5:
            node["content"][keys[rng.integers(len(keys))]] = value
    elif isinstance(node.get("content"), list) and node["content"]:
        node["content"] = node["content"] * 2 if rng.random() < 0.5 else node["content"][1:]
    return json.dumps(schema).encode()


def _nodes(value):
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)


# The child ------------------------------------------------------------------------------------------------


def outcome(data, fitted, trusted):
    """Load a file, and use what it holds: "refused" by the load, "raised" by a use, or "worked"."""
    import skops.io
    from saved_models import uses

    try:
        model = skops.io.loads(data, trusted=trusted)
    except Exception:
        return "refused"
    raised = False
    for use in _possible_uses(uses, model, fitted):
        try:
            use()
        except Exception:
            raised = True
    return "raised" if raised else "worked"


def _possible_uses(uses, model, fitted):
    try:
        yield from uses(model, fitted)
    except Exception:  # the file holds something else than an estimator
        return


def main(name, start, stop):
    """Try files ``start`` to ``stop`` of one class, and write a line before and after each.

    A file of a negative number has one large number in it; see :func:`grown`.
    """
    import faulthandler
    import resource

    import skops.io
    from saved_models import saved_models

    from skrec.persistence import skops_trusted_types

    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))  # too large a number is then a MemoryError
    fitted = saved_models(name)[name]
    archives = [skops.io.dumps(one) for one in fitted]
    trusted = skops_trusted_types()
    warnings.simplefilter("ignore")
    for one in fitted:  # what compiles a kernel first takes longer than any file may
        outcome(skops.io.dumps(one), one, trusted)
    print(json.dumps("ready"), flush=True)
    for i in range(start, stop):
        which = i % len(fitted)
        if i >= 0:
            data = mutated(archives[which], [i, zlib.crc32(name.encode())])
        else:
            data = grown(archives[which], -(i + 1) // len(fitted))
        print(json.dumps(i), flush=True)
        faulthandler.dump_traceback_later(_SECONDS)  # where a file hangs
        found = "nothing" if data is None else outcome(data, fitted[which], trusted)
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
