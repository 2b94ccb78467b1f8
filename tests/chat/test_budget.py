"""Budgets: reserved before a call, settled after it, never exceeded."""

import pickle
import threading
import time

import joblib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from skrec._chat._budget import BudgetExhausted, most_tokens
from skrec._chat._results import ChatSettings
from skrec._chat._schema_prompt import with_schema
from skrec.llm import BaseChat, Budget, CallableChat, ChatResult, OpenAICompatibleChat, Usage


class Counting(BaseChat):
    """Says how many tokens it used."""

    def __init__(self, n_tokens=10, **options):
        super().__init__(**options)
        self.n_tokens = n_tokens
        self.batches = []

    def _answer(self, conversations, settings):
        self.batches.append(len(conversations))
        return [ChatResult("yes", usage=Usage(1, self.n_tokens, 0), finish_reason="stop") for _ in conversations]


@pytest.mark.parametrize(
    "limits",
    [
        {"max_calls": 0},
        {"max_tokens": 0},
        {"max_calls": -1},
        {"max_calls": 1.5},
        {"max_calls": True},
        {"max_tokens": "many"},
        {"max_calls": float("inf")},
    ],
)
def test_a_budget_of_nothing(limits):
    with pytest.raises(ValueError, match=next(iter(limits))):
        Budget(**limits)


def test_a_budget_without_a_limit():
    with pytest.raises(ValueError, match="needs max_calls or max_tokens"):
        Budget()


def test_calls_end_with_the_budget():
    chat = Counting(budget=Budget(max_calls=3))
    results = chat.complete(["x"] * 5)
    assert [result.error for result in results] == [None] * 3 + ["the budget of 3 calls is used up"] * 2
    assert chat.batches == [3]
    assert chat.complete(["x"])[0].error is not None
    assert chat.usage_.n_calls == 3


def test_what_was_used_counts_and_not_what_was_reserved():
    one = most_tokens([{"role": "user", "content": "x"}], ChatSettings(max_tokens=100))
    chat = Counting(n_tokens=10, budget=Budget(max_tokens=2 * one))
    results = chat.complete(["x"] * 30, max_tokens=100)
    # Two at once can be reserved, and each takes ten tokens in the end.
    assert [result.error for result in results[:12]] == [None] * 12
    assert chat.batches[0] == 2
    assert chat.budget.n_tokens <= 2 * one
    assert results[-1].error.startswith(f"the budget of {2 * one} tokens has ")
    assert chat.budget.n_tokens == 10 * sum(chat.batches)


def test_a_conversation_too_large_fails_alone():
    chat = Counting(budget=Budget(max_tokens=300))
    small, large, again = chat.complete(["x", "x" * 1000, "x"], max_tokens=50)
    assert (small.error, again.error) == (None, None)
    assert "may take 1066" in large.error


def test_what_is_not_known_counts_as_reserved():
    chat = CallableChat(lambda messages: "yes", budget=Budget(max_tokens=1000))
    chat.complete(["x"], max_tokens=100)
    assert chat.budget.n_tokens == most_tokens([{"role": "user", "content": "x"}], ChatSettings(max_tokens=100))


@given(st.text(max_size=50), st.integers(1, 100))
def test_no_more_tokens_than_bytes(text, max_tokens):
    messages = [{"role": "user", "content": text}]
    assert (
        most_tokens(messages, ChatSettings(max_tokens=max_tokens)) >= len(text.encode("utf-8", "replace")) + max_tokens
    )
    schema = {"type": "object", "properties": {"größe": {"type": "integer"}}}
    asked = ChatSettings(max_tokens=max_tokens)
    assert most_tokens(messages, ChatSettings(schema, max_tokens)) >= most_tokens(with_schema(messages, schema), asked)


def test_threads_never_go_beyond():
    budget = Budget(max_calls=500, max_tokens=3000)
    taken, start = [], threading.Barrier(8)

    def spend():
        start.wait()
        while True:
            try:
                budget.reserve(10)
            except BudgetExhausted:
                return
            taken.append(1)
            budget.settle(10, 5)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == budget.n_calls == 500
    assert budget.n_tokens == 2500


def test_calls_wait_for_those_in_flight(openai_server):
    openai_server.answer = lambda messages, body: time.sleep(0.1) or "yes"
    one = most_tokens([{"role": "user", "content": "x"}], ChatSettings(max_tokens=50))
    budget = Budget(max_tokens=3 * one)  # three at once, of which each takes two tokens in the end
    # Some wait longer than the time-out of a request, which begins when it is sent.
    chat = OpenAICompatibleChat("m", base_url=openai_server.url, n_jobs=8, budget=budget, timeout=1.2, max_retries=0)
    results = chat.complete(["x"] * 40, max_tokens=50)
    assert [result.error for result in results] == [None] * 40
    assert openai_server.most_open <= 3
    assert budget.n_tokens == 80


def test_nothing_waits_for_what_cannot_come():
    budget = Budget(max_tokens=100)
    budget.reserve(60)
    with pytest.raises(BudgetExhausted, match="has 40 left"):
        budget.reserve(50)  # without waiting
    with pytest.raises(BudgetExhausted, match="has 40 left"):
        budget.reserve(101, wait=True)  # never enough
    waiting = threading.Thread(target=budget.reserve, args=(90,), kwargs={"wait": True}, daemon=True)
    waiting.start()
    budget.settle(60, 5)
    waiting.join(timeout=10)
    assert not waiting.is_alive()
    assert budget.n_tokens == 95


def test_an_interrupted_call_leaves_nothing_in_flight():
    def interrupted(messages):
        raise KeyboardInterrupt

    budget = Budget(max_tokens=300)
    chat = CallableChat(interrupted, budget=budget)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            chat.complete(["x", "y"], max_tokens=50)
    assert CallableChat(answer, budget=budget).complete(["x"], max_tokens=250)[0].error.startswith("the budget of 300")


def test_retries_count(openai_server, waits):
    from openai_server import status

    openai_server.faults = lambda body: status(500)
    chat = OpenAICompatibleChat("m", base_url=openai_server.url, max_retries=9, budget=Budget(max_calls=4))
    (result,) = chat.complete(["x"])
    assert result.error == "the budget of 4 calls is used up"
    assert len(openai_server.requests) == result.usage.n_calls == 4
    assert chat.budget.n_tokens == 0  # what a server refused took none


def test_silence_counts_as_reserved(openai_server, waits):
    from openai_server import slow

    openai_server.script = [slow]
    chat = OpenAICompatibleChat(
        "m", base_url=openai_server.url, max_retries=0, timeout=0.3, budget=Budget(max_tokens=1000)
    )
    assert "no answer" in chat.complete(["x"], max_tokens=100)[0].error
    assert chat.budget.n_tokens > 100


def test_the_budget_holds_over_a_server_and_its_usage_counts(openai_server):
    openai_server.answer = lambda messages, body: "three words long"
    chat = OpenAICompatibleChat("m", base_url=openai_server.url, n_jobs=4, budget=Budget(max_tokens=400))
    results = chat.complete(["one two"] * 200, max_tokens=10)
    done = sum(result.error is None for result in results)
    assert 0 < done < 200
    assert chat.usage_.n_tokens == chat.budget.n_tokens == 5 * done <= 400


def test_clients_and_clones_share(openai_server):
    budget = Budget(max_calls=3)
    first, second = Counting(budget=budget), Counting(budget=budget)
    assert clone(first) is first
    first.complete(["x", "x"])
    assert [result.error is None for result in second.complete(["x", "x"])] == [True, False]


def ask(chat):
    results = chat.complete(["x"] * 5)
    return sum(result.error is None for result in results), chat.budget.n_calls


def answer(messages):
    return "yes"


def test_a_pickle_is_a_copy_that_starts_from_what_was_left():
    chat = CallableChat(answer, budget=Budget(max_calls=4))
    chat.complete(["x"])
    again = pickle.loads(pickle.dumps(chat))
    assert ask(again) == (3, 4)
    assert chat.budget.n_calls == 1


@pytest.mark.slow
def test_worker_processes_have_copies_and_threads_share():
    chat = CallableChat(answer, budget=Budget(max_calls=4))
    # Each task gets a copy of its own, as the docstring says.
    assert joblib.Parallel(n_jobs=2)(joblib.delayed(ask)(chat) for _ in range(3)) == [(4, 4)] * 3
    assert chat.budget.n_calls == 0
    with joblib.parallel_config(backend="threading"):
        done = joblib.Parallel(n_jobs=2)(joblib.delayed(ask)(chat) for _ in range(3))
    assert sum(n for n, _ in done) == chat.budget.n_calls == 4
