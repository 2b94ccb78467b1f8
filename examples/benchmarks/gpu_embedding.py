"""Embedding on a GPU (or a CPU): tokens per second, and the share of what the device can do.

    python examples/benchmarks/gpu_embedding.py                                     # the best device, 300 steps each
    python examples/benchmarks/gpu_embedding.py --device cuda:0 cuda:1 --shapes bge-base
    python examples/benchmarks/gpu_embedding.py --device cpu --threads 1 --steps 10 --shapes minilm --texts 500

The models have random weights of the named shapes: nothing is downloaded, and a step costs what it costs with the
real weights. A step is one batch of mixed lengths, as long as the free memory allows, through ``LocalModel``; "gemm" is
what the device makes of the linear layers of that model alone, and "peak" what the maker publishes for dense products
(where the device is not known, a large square product, measured). On a CPU seconds are those of its processor, of all
threads. The ceiling is how many times faster than ``encode`` an encoder would be that spent its time in the linear
layers alone, without any padding.

All CUDA tests of the project and this script, within ten minutes on one device:

    sh -c 'timeout 240 python -m pytest -q -k cuda tests; timeout 340 python examples/benchmarks/gpu_embedding.py'
"""

import argparse
import json
import tempfile
import time

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from skrec.feature_extraction import LLMTextEmbedder
from skrec.feature_extraction._encoders._device_memory import token_budget_of
from skrec.feature_extraction._encoders._loading import LoadSettings, local_model, resolve

# Layers, width, heads, inner width.
SHAPES = {
    "tiny": (2, 32, 2, 64),
    "minilm": (6, 384, 12, 1536),
    "bge-base": (12, 768, 12, 3072),
    "bge-large": (24, 1024, 16, 4096),
}
# Dense products in 16 bits, by the makers' data sheets.
PUBLISHED_PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "A10": 125e12}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = [f"w{i}" for i in range(2000)]

LINE = (
    "{shape}, {dtype}: {step_tokens_per_second:,.0f} tokens/s in steps of {tokens_per_step:,}, {tflops:.3f} TFLOP/s "
    "({share_of_gemm:.0%} of gemm, {share_of_peak:.0%} of peak); with tokenising and a cache on disk "
    "{texts_per_second:,.0f} texts/s, {ratio_to_encode:.2f} x encode (ceiling {ceiling:.2f} x)"
)


class Clock:
    """Seconds of a device: by default of the wall on a GPU, of the processor on a CPU, which others may be using."""

    def __init__(self, device, now=None):
        self.device = device
        self.now = now or (time.process_time if device == "cpu" else time.perf_counter)

    def time(self, work, repeats=1, *, warm=True):
        if warm:
            work()
        self._wait()
        start = self.now()
        for _ in range(repeats):
            work()
        self._wait()
        return (self.now() - start) / repeats

    def _wait(self):
        if self.device.startswith("cuda"):
            torch.cuda.synchronize(self.device)


def save_model(shape, folder):
    """A BERT of this shape with random weights, its words numbered."""
    layers, width, heads, inner = SHAPES[shape]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(SPECIAL + WORDS),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(SPECIAL + WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)


def product_texts(n_texts, seed=0):
    """Distinct texts of the lengths of product descriptions: median 90 words, from 3 to 400."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(4.5, 0.6, n_texts).astype(int), 3, 400)
    return [" ".join(rng.choice(WORDS, length)) for length in lengths]


def flops_of(shape, lengths):
    """Operations of the linear layers and of attention for texts of these lengths."""
    layers, width, _, inner = SHAPES[shape]
    linear = 2 * layers * (4 * width**2 + 2 * width * inner) * lengths.sum()
    return float(linear), float(4 * layers * width * (lengths**2).sum())


def gemm_rate(shape, n_tokens, dtype, clock):
    """Operations per second of the linear layers of this shape alone."""
    _, width, _, inner = SHAPES[shape]
    seconds = flops = 0.0
    with torch.inference_mode():
        for n_in, n_out, times in ((width, width, 4), (width, inner, 1), (inner, width, 1)):
            x = torch.randn(n_tokens, n_in, device=clock.device, dtype=dtype)
            layer = torch.nn.Linear(n_in, n_out, device=clock.device, dtype=dtype)
            seconds += times * clock.time(lambda layer=layer, x=x: layer(x), 10)
            flops += times * 2 * n_tokens * n_in * n_out
    return flops / seconds


def peak_rate(dtype, clock):
    if clock.device.startswith("cuda") and dtype != torch.float32:
        name = torch.cuda.get_device_name(clock.device)
        for known, rate in PUBLISHED_PEAK.items():
            if known in name:
                return rate
    n = 8192 if clock.device.startswith("cuda") else 1024
    left, right = (torch.randn(n, n, device=clock.device, dtype=dtype) for _ in range(2))
    return 2 * n**3 / clock.time(lambda: left @ right, 5)


def measure(shape, dtype, devices, n_steps, n_texts):
    clock, texts = Clock(devices[0]), product_texts(n_texts)
    with tempfile.TemporaryDirectory() as folder:
        save_model(shape, folder)
        settings = resolve(LoadSettings(device=devices[0], dtype=dtype), folder)
        precision = getattr(torch, settings.dtype)
        local, _ = local_model(folder, settings)
        budget = token_budget_of(local.model)
        tokens = local.read(texts, "", None)
        step = one_batch(tokens, budget)
        seconds = clock.time(lambda: local.start(step, budget), n_steps)
        rate = sum(flops_of(shape, step.lengths)) / seconds
        gemm = gemm_rate(shape, int(step.lengths.sum()), precision, clock)
        model = SentenceTransformer(folder, device=devices[0], model_kwargs={"torch_dtype": precision})
        encode = min(clock.time(lambda size=size: model.encode(texts, batch_size=size)) for size in (32, 128))
        device = devices if len(devices) > 1 else devices[0]
        embedder = LLMTextEmbedder(folder, device=device, dtype=settings.dtype, cache=f"{folder}/cache")
        embedder.fit(texts[:1]).transform(product_texts(8, seed=1))
        whole = clock.time(lambda: embedder.transform(texts), warm=False)
    return {
        "shape": shape,
        "dtype": settings.dtype,
        "tokens_per_step": int(step.lengths.sum()),
        "step_tokens_per_second": float(step.lengths.sum() / seconds),
        "tflops": rate / 1e12,
        "share_of_gemm": rate / gemm,
        "share_of_peak": rate / peak_rate(precision, clock),
        "texts_per_second": len(texts) / whole,
        "encode_texts_per_second": len(texts) / encode,
        "ratio_to_encode": encode / whole,
        "ceiling": encode * gemm / flops_of(shape, tokens.lengths)[0],
    }


def one_batch(tokens, budget):
    """Texts of about median length that fill one batch."""
    order = np.argsort(-tokens.lengths, kind="stable")
    middle = order[len(order) // 3 :]
    fit = int(np.searchsorted(tokens.lengths[middle[0]] * np.arange(1, len(middle) + 1), budget, side="right"))
    return tokens.take(middle[: max(1, fit)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=["minilm", "bge-base", "bge-large"])
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--device", nargs="+", default=["cuda" if torch.cuda.is_available() else "cpu"])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--threads", type=int, help="of the CPU")
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    rows = []
    for shape in args.shapes:
        for dtype in args.dtypes:
            rows.append(measure(shape, dtype, args.device, args.steps, args.texts))
            print(LINE.format(**rows[-1]), flush=True)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"device": args.device, "torch": torch.__version__, "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
