"""Options scored by likelihood: a prompt computed once, against once an option.

    python examples/benchmarks/likelihood_scoring.py
    python examples/benchmarks/likelihood_scoring.py --threads 0       # as many threads as PyTorch likes
    python examples/benchmarks/likelihood_scoring.py --layers 8 --width 512 --device cuda
    python examples/benchmarks/likelihood_scoring.py --model Qwen/Qwen2.5-0.5B-Instruct

The model is Llama-like with random weights, unless one is named: what is measured is the arithmetic, not the
answers. "padded batch" runs all options of a prompt behind the whole prompt in one pass, "one by one" in a pass
each; both keep the logits of the option's positions alone. All three take turns, and each round gives one ratio
of the faster of these two to the reused prefix. All scores must agree to 1e-4. One thread is the default: with
more, on a machine that others use too, the waiting of threads for each other drowns the arithmetic.
"""

import argparse
import json
import sys
import time

import numpy as np

from skrec._chat._likelihood import score_options
from skrec.llm import TransformersChat

SENTENCES = (
    "quiet film about grief loud comedy errors reader liked films next garden sea storm winter letter river night "
    "house stranger summer war love island city secret daughter king shadow road music last first silent golden"
)
WORDS = SENTENCES.split()


def random_model(layers, width, device):
    """A Llama-like model and a tokenizer trained on made-up titles."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(made_up_texts(np.random.default_rng(0), 2000, 12), trainer)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=2000,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        max_position_embeddings=2048,
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    return LlamaForCausalLM(config).eval().to(device), fast


def made_up_texts(rng, n, n_words):
    return [" ".join(rng.choice(WORDS, n_words)) for _ in range(n)]


def prompts_of(tokenizer, rng, n, n_tokens):
    """Texts of as many tokens, or a few more."""
    texts = []
    for text in made_up_texts(rng, n, n_tokens):
        words = text.split()
        while len(tokenizer(" ".join(words[:-1]))["input_ids"]) >= n_tokens:
            words.pop()
        texts.append(" ".join(words))
    return texts


def measure(chat, n_prompts, n_tokens, n_options, repeats):
    rng = np.random.default_rng(1)
    causal = chat._causal()
    prompts = prompts_of(causal.tokenizer, rng, n_prompts, n_tokens)
    options = [[" " + title for title in made_up_texts(rng, n_options, 5)] for _ in prompts]
    ways = {
        "reused prefix": {"batch_size": n_options},
        "padded batch": {"batch_size": n_options, "reuse": False},
        "one by one": {"batch_size": 1, "reuse": False},
    }
    rounds = []
    for turn in range(repeats + 1):  # the first is warm-up
        row, scores = {}, {}
        for name, way in ways.items():
            began = time.perf_counter()
            found = score_options(causal, prompts, options, special=True, window=causal.window, **way)
            row[name], scores[name] = time.perf_counter() - began, found
        worst = max(float(np.abs(scores[name].sums - scores["reused prefix"].sums).max()) for name in ways)
        if worst > 1e-4:
            raise SystemExit(f"The scores of the three ways differ by {worst:.1e}.")
        if turn:
            row["ratio"] = min(row["padded batch"], row["one by one"]) / row["reused prefix"]
            rounds.append(row)
            print(f"round {turn}: " + ", ".join(f"{k} {v:.3f}" for k, v in row.items()), file=sys.stderr)
    return {
        "seconds": {name: float(np.median([row[name] for row in rounds])) for name in ways},
        "ratio_median": float(np.median([row["ratio"] for row in rounds])),
        "ratio_min": float(np.min([row["ratio"] for row in rounds])),
        "largest_difference": worst,
        "option_tokens": float(scores["reused prefix"].n_tokens.mean()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or hub name instead of random weights")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch; 0 is its own choice")
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=300, help="of a prompt")
    parser.add_argument("--options", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the numbers there too")
    args = parser.parse_args()
    if args.threads:
        import torch

        torch.set_num_threads(args.threads)
    if args.model:
        chat = TransformersChat(args.model, device=args.device)
    else:
        chat = TransformersChat(random_model(args.layers, args.width, args.device))
    report = measure(chat, args.prompts, args.tokens, args.options, args.repeats)
    print(f"{args.options} options of {report['option_tokens']:.1f} tokens behind prompts of {args.tokens}")
    for name, seconds in report["seconds"].items():
        print(f"{name:14}{seconds / args.prompts:8.3f} s a prompt")
    print(
        f"faster of the latter two over the first: median {report['ratio_median']:.1f}, least {report['ratio_min']:.1f}"
    )
    print(f"largest difference of a score: {report['largest_difference']:.1e}")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(report, file, indent=2)


if __name__ == "__main__":
    main()
