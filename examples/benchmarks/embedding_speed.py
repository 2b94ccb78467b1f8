"""Embedding speed: LLMTextEmbedder against SentenceTransformer.encode, in one run.

    python examples/benchmarks/embedding_speed.py            # 12,000 distinct short texts
    python examples/benchmarks/embedding_speed.py --texts 4000 --repeats 3
    python examples/benchmarks/embedding_speed.py --texts 2000 --threads 1 --clock cpu    # on a machine that is busy

Both use the same model, machine and threads. ``encode`` runs at its best batch size, which is found first.
The contenders take turns, so that whatever else the machine does hits all of them, and each round gives one
ratio; the table shows the median and the smallest ratio over the rounds. Loading is excluded. The ceiling is the ratio
of an encoder that spent its time in the linear layers alone, without padding, attention or anything else, at the speed
that this machine was measured to give products of those shapes.
"""

import argparse
import json
import sys
import tempfile
import time

import numpy as np
import torch
from gpu_embedding import Clock, gemm_rate
from sentence_transformers import SentenceTransformer

from skrec.feature_extraction import LLMTextEmbedder, memory_cache
from skrec.feature_extraction._encoders._loading import packaged_folder

BATCH_SIZES = (16, 32, 64, 128, 256)
now = time.perf_counter


def make_titles(model, n_texts, seed=0):
    """Distinct texts of 3 to 20 words, the words drawn as language draws them: few often, many seldom."""
    rng = np.random.default_rng(seed)
    words = sorted(word for word in model.tokenizer.get_vocab() if word.isalpha() and len(word) > 2)
    rng.shuffle(words)
    weights = 1 / np.arange(10, len(words) + 10)
    weights /= weights.sum()
    titles = {}
    while len(titles) < n_texts:
        titles[" ".join(rng.choice(words, size=rng.integers(3, 21), p=weights))] = None
    return list(titles)


def seconds(work, *args):
    start = now()
    result = work(*args)
    return now() - start, result


def best_batch_size(model, texts):
    sample = texts[:: max(len(texts) // 500, 1)]
    times = {size: [] for size in BATCH_SIZES}
    for _ in range(3):
        for size in BATCH_SIZES:
            times[size].append(seconds(lambda size=size: model.encode(sample, batch_size=size))[0])
    return min(BATCH_SIZES, key=lambda size: min(times[size]))


def least_cosine(left, right):
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float((np.einsum("ij,ij->i", left, right) / norms).min())


def ceilings(model, texts, encode):
    """Ratios to ``encode`` of the linear layers alone, by precision; for a model of MiniLM's shape on the CPU."""
    config = model[0].auto_model.config
    if (config.num_hidden_layers, config.hidden_size, config.intermediate_size) != (6, 384, 1536):
        return {}
    n_tokens = sum(len(ids) for ids in model.tokenizer(texts)["input_ids"])
    flops = 2 * 6 * (4 * 384**2 + 2 * 384 * 1536) * n_tokens
    clock = Clock(str(model.device), now)
    rates = {dtype: gemm_rate("minilm", 2000, getattr(torch, dtype), clock) for dtype in ("float32", "bfloat16")}
    return {dtype: {"gflops": rate / 1e9, "ratio": encode * rate / flops} for dtype, rate in rates.items()}


def measure(name, texts, repeats, device):
    model = SentenceTransformer(packaged_folder(name) or name, device=device)
    if isinstance(texts, int):
        texts = make_titles(model, texts)
    size = best_batch_size(model, texts)
    contenders = {
        dtype: LLMTextEmbedder(name, device=device, dtype=dtype, cache=None) for dtype in ("float32", "bfloat16")
    }
    with tempfile.TemporaryDirectory() as folder:
        contenders["float32, cached in memory"] = LLMTextEmbedder(name, device=device)
        contenders["float32, cached on disk"] = LLMTextEmbedder(name, device=device, cache=folder)
        memory_cache.max_bytes = max(memory_cache.max_bytes, 4000 * len(texts))
        for key, embedder in contenders.items():
            embedder.fit(texts[:1]).transform(texts if "cached" in key else texts[:50])
        rounds = []
        for _ in range(repeats):
            reference, exact = seconds(lambda: model.encode(texts, batch_size=size))
            row = {"encode": reference}
            cosines = {}
            for key, embedder in contenders.items():
                row[key], vectors = seconds(embedder.transform, texts)
                cosines[key] = least_cosine(exact, vectors)
            rounds.append(row)
            print(f"round {len(rounds)}: " + ", ".join(f"{k} {v:.2f} s" for k, v in row.items()), file=sys.stderr)
    encode = float(np.median([row["encode"] for row in rounds]))
    return {
        "model": name,
        "n_texts": len(texts),
        "threads": torch.get_num_threads(),
        "device": str(model.device),
        "encode_batch_size": size,
        "encode_seconds": encode,
        "ceilings": ceilings(model, texts, encode),
        "results": {
            key: {
                "seconds": float(np.median([row[key] for row in rounds])),
                "ratio_median": float(np.median([row["encode"] / row[key] for row in rounds])),
                "ratio_min": float(np.min([row["encode"] / row[key] for row in rounds])),
                "least_cosine": cosines[key],
            }
            for key in contenders
        },
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--texts", type=int, default=12_000, help="how many distinct texts")
    parser.add_argument("--repeats", type=int, default=3, help="rounds, each of which runs every contender")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too")
    parser.add_argument("--threads", type=int, help="of the CPU")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: seconds of the processor")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.clock == "cpu":
        global now
        now = time.process_time
    report = measure(args.model, args.texts, args.repeats, args.device)
    print(f"{report['model']}, {report['n_texts']:,} texts, {report['threads']} threads on {report['device']}")
    print(f"encode at its best batch size ({report['encode_batch_size']}): {report['encode_seconds']:.2f} s\n")
    print(f"{'LLMTextEmbedder':28}{'seconds':>9}{'median x':>10}{'least x':>9}{'least cosine':>14}")
    for name, row in report["results"].items():
        print(
            f"{name:28}{row['seconds']:9.3f}{row['ratio_median']:10.2f}{row['ratio_min']:9.2f}{row['least_cosine']:14.6f}"
        )
    for dtype, row in report["ceilings"].items():
        print(f"ceiling in {dtype}: {row['ratio']:.2f} x (linear layers at {row['gflops']:.0f} GFLOP/s)")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(report, file, indent=2)


if __name__ == "__main__":
    main()
