"""What lower precision costs: speed, and how many of a text's ten nearest neighbours change.

    python examples/benchmarks/quantised_encoders.py
    python examples/benchmarks/quantised_encoders.py --texts-file titles.txt     # one text a line

float32 is the reference; the contenders take turns, and each round gives one ratio. Neighbours are by cosine
among all texts, after centring. "torch.ao int8" is PyTorch's own dynamic quantisation, with one scale a batch
where ``quantization="int8"`` has one a token; it is measured by ``encode`` at batch size 32, and omitted where
this PyTorch no longer has it.
"""

import argparse
import json
import sys
import warnings

import numpy as np
from embedding_speed import least_cosine, make_titles, seconds
from sentence_transformers import SentenceTransformer

from skrec.feature_extraction import LLMTextEmbedder
from skrec.feature_extraction._encoders._loading import packaged_folder


def nearest(vectors, k=10, block=1000):
    vectors = vectors - vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = []
    for start in range(0, len(vectors), block):
        similarity = vectors[start : start + block] @ vectors.T
        similarity[np.arange(len(similarity)), np.arange(start, start + len(similarity))] = -np.inf
        found.append(np.argpartition(-similarity, k, axis=1)[:, :k])
    return np.concatenate(found)


def share_changed(left, right):
    kept = [len(set(a) & set(b)) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    return 1 - float(np.mean(kept)) / left.shape[1]


def quantised_by_torch(name):
    """SentenceTransformer under torch.ao's dynamic quantisation; None where PyTorch has dropped it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import torch
            from torch.ao.quantization import quantize_dynamic
        except ImportError:
            return None
        model = SentenceTransformer(packaged_folder(name) or name, device="cpu")
        quantize_dynamic(model[0], {torch.nn.Linear}, dtype=torch.qint8, inplace=True)
    return lambda texts: model.encode(texts, batch_size=32)


def measure(name, texts, repeats):
    contenders = {
        label: LLMTextEmbedder(name, device="cpu", cache=None, **params).fit(texts[:1]).transform
        for label, params in {
            "float32": {},
            "bfloat16": {"dtype": "bfloat16"},
            "int8": {"quantization": "int8"},
        }.items()
    }
    if (reference := quantised_by_torch(name)) is not None:
        contenders["torch.ao int8"] = reference
    rounds, vectors = [], {}
    for work in contenders.values():
        work(texts[:50])
    for _ in range(repeats):
        row = {}
        for label, work in contenders.items():
            row[label], vectors[label] = seconds(work, texts)
        rounds.append(row)
        print(f"round {len(rounds)}: " + ", ".join(f"{k} {v:.2f} s" for k, v in row.items()), file=sys.stderr)
    exact = nearest(vectors["float32"])
    return {
        label: {
            "seconds": float(np.median([row[label] for row in rounds])),
            "ratio_median": float(np.median([row["float32"] / row[label] for row in rounds])),
            "ratio_min": float(np.min([row["float32"] / row[label] for row in rounds])),
            "neighbours_changed": share_changed(exact, nearest(vectors[label])),
            "least_cosine": least_cosine(vectors["float32"], vectors[label]),
        }
        for label in contenders
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--texts", type=int, default=4_000, help="how many made-up titles")
    parser.add_argument("--texts-file", metavar="FILE", help="real texts instead, one a line")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too")
    args = parser.parse_args()
    if args.texts_file:
        with open(args.texts_file, encoding="utf-8") as file:
            texts = list(dict.fromkeys(line.strip() for line in file if line.strip()))
    else:
        model = SentenceTransformer(packaged_folder(args.model) or args.model, device="cpu")
        texts = make_titles(model, args.texts)
    report = measure(args.model, texts, args.repeats)
    print(f"{args.model}, {len(texts):,} texts")
    print(f"{'':16}{'seconds':>9}{'median x':>10}{'least x':>9}{'neighbours changed':>20}{'least cosine':>14}")
    for name, row in report.items():
        print(
            f"{name:16}{row['seconds']:9.2f}{row['ratio_median']:10.2f}{row['ratio_min']:9.2f}"
            f"{row['neighbours_changed']:20.1%}{row['least_cosine']:14.4f}"
        )
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"model": args.model, "n_texts": len(texts), "results": report}, file, indent=2)


if __name__ == "__main__":
    main()
