"""Options scored by a forward pass: as a direct pass over each whole text would."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skrec._chat._likelihood import score_options
from skrec.llm import Budget, TransformersChat

PROMPTS = [
    "a quiet film about",
    "the",
    "the reader liked the quiet films, not the loud ones; which of them is n",  # "next" was one word
    "grief",
]
OPTIONS = [[" grief", "ext?", " loud", "x"]] * 4


def load(folder, **options):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder, **options).eval(), AutoTokenizer.from_pretrained(folder)


def direct(model, tokenizer, prompt, options):
    """Each option behind its prompt, one pass each, from the first token that any option changes."""
    import torch

    alone = tokenizer(prompt)["input_ids"]
    rows = [tokenizer(prompt + option)["input_ids"] for option in options]
    same = min(
        next(i for i, ids in enumerate(zip(alone + [-1], row, strict=False)) if len(set(ids)) > 1) for row in rows
    )
    if same == 0:
        rows = [[tokenizer.bos_token_id or tokenizer.eos_token_id, *row] for row in rows]
    sums = []
    for row in rows:
        with torch.no_grad():
            logs = model(torch.tensor([row])).logits[0].log_softmax(-1)
        sums.append(sum(float(logs[i - 1, row[i]]) for i in range(max(same, 1), len(row))))
    return sums


@pytest.fixture
def bare_folder(causal_folder):
    """Without the chat template, so that a prompt is its text."""
    model, tokenizer = load(causal_folder)
    tokenizer.chat_template = None
    return model, tokenizer


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_equal_to_a_direct_pass(bare_folder, batch_size):
    expected = [direct(*bare_folder, *pair) for pair in zip(PROMPTS, OPTIONS, strict=True)]
    chat = TransformersChat(bare_folder, batch_size=batch_size)
    assert_allclose(chat.score(PROMPTS, OPTIONS), expected, atol=1e-4)


def test_with_and_without_reuse(bare_folder):
    causal = TransformersChat(bare_folder)._causal()
    with_, without = (
        score_options(causal, PROMPTS, OPTIONS, special=True, window=None, batch_size=8, reuse=reuse)
        for reuse in (True, False)
    )
    assert_allclose(with_.sums, without.sums, atol=1e-4)
    recurrent = type(causal.model).__name__.startswith("Mamba")
    assert (with_.reused, without.reused) == (not recurrent, False)
    assert (with_.n_read < without.n_read).all() == (not recurrent)


def test_the_window_slides_and_matters(causal_folders):
    """Else equality above would say nothing of a cache that forgets."""
    short, tokenizer = load(causal_folders["sliding"])
    wide, _ = load(causal_folders["sliding"], sliding_window=None)
    tokenizer.chat_template = None
    scores = [TransformersChat((model, tokenizer)).score(PROMPTS[2:3], OPTIONS[:1]) for model in (short, wide)]
    assert np.abs(scores[0] - scores[1]).max() > 0.1


def test_a_merge_at_the_boundary_backs_the_prefix_up(causal_folders):
    model, tokenizer = load(causal_folders["llama"])
    prompt, options = "which of them is n", ["ext?", "!"]
    alone, joint = (tokenizer(text)["input_ids"] for text in (prompt, prompt + options[0]))
    assert joint[: len(alone)] != alone
    chat = TransformersChat((model, tokenizer))
    assert_allclose(chat.score([prompt], [options]), [direct(model, tokenizer, prompt, options)], atol=1e-4)
    # Both are told from the same place: their difference is that of the whole texts.
    whole = np.diff([whole_text(model, tokenizer, prompt + option) for option in options])
    assert_allclose(np.diff(chat.score([prompt], [options])[0]), whole, atol=1e-4)


def whole_text(model, tokenizer, text):
    import torch

    ids = tokenizer(text)["input_ids"]
    with torch.no_grad():
        logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(logs[i - 1, ids[i]]) for i in range(1, len(ids)))


def test_by_the_chat_template(causal_folders):
    model, tokenizer = load(causal_folders["sliding"])
    written = tokenizer.apply_chat_template(
        [{"role": "user", "content": "a quiet film?"}], tokenize=False, add_generation_prompt=True
    )
    got = TransformersChat((model, tokenizer)).score(["a quiet film?"], [["the", "comedy of"]])
    plain = copy.deepcopy(tokenizer)
    plain.backend_tokenizer.post_processor = None  # the template says all there is
    assert_allclose(got, [direct(model, plain, written, ["the", "comedy of"])], atol=1e-4)


def test_the_mean_is_by_token(causal_folders):
    chat = TransformersChat(causal_folders["llama"])
    total, mean = (chat.score(["the"], [[" film", "!"]], normalize=way)[0] for way in ("sum", "mean"))
    counts = total / mean
    assert_allclose(counts, np.round(counts))
    assert counts[0] > counts[1] == 1


def test_the_budget_counts_what_is_computed(causal_folders):
    chat = TransformersChat(causal_folders["llama"], budget=Budget(max_calls=2), prices={"prompt": 1, "completion": 1})
    scores = chat.score(PROMPTS[:3], [[" grief", "ext?"]] * 3)
    assert np.isnan(scores[2]).all()
    assert_allclose(scores[:2], TransformersChat(causal_folders["llama"]).score(PROMPTS[:2], [[" grief", "ext?"]] * 2))
    n_read = chat.usage_.prompt_tokens
    assert 0 < n_read == chat.budget.n_tokens
    assert (chat.usage_.n_calls, chat.usage_.cost) == (2, n_read / 1e6)
    few = TransformersChat(causal_folders["llama"], budget=Budget(max_tokens=20))
    assert np.isnan(few.score(PROMPTS[2:3], [["x"]])).all()
    assert few.budget.n_tokens == 0


def test_what_was_used_counts_and_not_what_was_reserved(causal_folders):
    """Of many prompts a few can be reserved at once; one that is too large for what is left fails alone."""
    chat = TransformersChat(causal_folders["llama"], budget=Budget(max_tokens=400))
    prompts = ["the quiet film"] * 10 + ["the quiet film " * 30] + ["the quiet film"]
    scores = chat.score(prompts, [[" grief", "!"]] * 12)
    assert np.isfinite(scores[[*range(10), 11]]).all()
    assert np.isnan(scores[10]).all()
    assert chat.usage_.n_calls == 11
    assert chat.usage_.prompt_tokens == chat.budget.n_tokens <= 400


def test_personal_data_in_a_prompt_that_is_scored(causal_folders):
    chat = TransformersChat(causal_folders["llama"], scrub=True)
    found, clean = chat.score(["mail ada@example.org", "mail [email]"], [[" film", "!"]] * 2)
    assert_allclose(found, clean)
    assert (chat.scrubbed_, chat.usage_.n_scrubbed) == ({"email": 1}, 1)


def test_what_does_not_fit_alone_is_nan(causal_folders):
    scores = TransformersChat(causal_folders["llama"], max_length=20).score(
        ["the", "the quiet film " * 20, "grief"], [["!", "?"]] * 3
    )
    assert np.isnan(scores[1]).all()
    assert np.isfinite(scores[[0, 2]]).all()


@pytest.mark.parametrize(
    ("prompts", "options", "match"),
    [
        (["a"], [["x"], ["y"]], "1 prompts need as many lists"),
        (["a", "b"], [["x"], ["y", "z"]], "same number of options"),
        (["a"], [[]], "at least one"),
        (["a"], [[""]], "not empty"),
        (["a"], [[3]], "must be a text"),
    ],
)
def test_options_that_are_none(causal_folders, prompts, options, match):
    with pytest.raises(ValueError, match=match):
        TransformersChat(causal_folders["llama"]).score(prompts, options)


def test_one_text_for_a_list(causal_folders):
    chat = TransformersChat(causal_folders["llama"])
    with pytest.raises(TypeError, match="list of prompts"):
        chat.score("a", [["x"]])
    with pytest.raises(ValueError, match="normalize='max'"):
        chat.score(["a"], [["x"]], normalize="max")
    assert chat.score([], []).shape[0] == 0
