"""LLMReranker: what it reaches, what it keeps, and what it falls back to."""

import itertools
import json

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_reading import Judge, blocks_of, text_of
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from skrec._chat import in_given_order
from skrec.decomposition import HybridMFRecommender
from skrec.dummy import PopularRecommender
from skrec.exceptions import FeatureCoverageWarning, LanguageModelWarning, TruncationWarning
from skrec.feature_extraction import ContextEncoder, HashingTextEncoder, LLMTextEmbedder
from skrec.interactions import FeatureTable
from skrec.llm import BaseChat, Budget, CallableChat, LLMReranker, OpenAICompatibleChat, TransformersChat
from skrec.llm._prompt_context import PromptContext, PromptWriter
from skrec.llm._rerank_calls import Counts
from skrec.model_selection import TunedRecommender
from skrec.neighbors import EmbeddingKNNRecommender
from skrec.pipeline import make_pipeline
from skrec.testing import recommender_checks

N_ITEMS, N_USERS = 150, 40
RNG = np.random.default_rng(0)
# Popularity falls with the id, so that the base order of the popular recommender is 0, 1, 2, …
X = np.array([[1000 + user, item] for item in range(N_ITEMS) for user in range(N_ITEMS - item)])
ITEMS = FeatureTable(pd.DataFrame({"item": range(N_ITEMS), "title": [f"Film {i:03d}" for i in range(N_ITEMS)]}))
TASTES = {user: f"taste of {user:03d}" for user in range(N_USERS)}
USERS = FeatureTable(pd.DataFrame({"user": [*TASTES, 1000], "taste": [*TASTES.values(), None]}))
RELEVANCE = RNG.choice([0, 0, 0, 0, 1, 2, 3], size=(N_USERS, N_ITEMS))


def number(text):
    return int(text[-3:])


def relevance(text, messages):
    return RELEVANCE[number(text_of(messages, "user")), number(text)]


def fitted(llm, recommender=None, **parameters):
    reranker = LLMReranker(recommender or PopularRecommender(), llm, item_template="{title}", **parameters)
    return reranker.fit(X, item_features=ITEMS, user_features=USERS)


def ndcg_of_best(recommendations, n_candidates, relevance=RELEVANCE):
    """Mean over users of DCG@10 over the best that an order of the candidates allows."""
    discount = 1 / np.log2(np.arange(2, 12))
    gains = np.take_along_axis(relevance, recommendations.items[:, :10].astype(int), axis=1)
    best = -np.sort(-relevance[:, :n_candidates], axis=1)[:, :10]
    return ((gains @ discount) / (best @ discount)).mean()


# What it reaches -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_candidates", "least"), [(20, 0.99), (100, 0.95)])
def test_an_oracle_reaches_the_best_that_candidates_allow(n_candidates, least):
    rec = fitted(Judge(relevance), n_candidates=n_candidates, window_size=20)
    found = ndcg_of_best(lists := rec.recommend(range(N_USERS)), n_candidates)
    assert found >= least
    assert ndcg_of_best(rec.recommender_.recommend(range(N_USERS)), n_candidates) < 0.6
    n_windows = 1 if n_candidates == 20 else 9
    assert lists.report["n_prompts"] == N_USERS * n_windows


@pytest.mark.parametrize("method", ["pairwise", "pointwise"])
def test_an_oracle_of_other_methods(method):
    rec = fitted(Judge(relevance), method=method)
    assert ndcg_of_best(lists := rec.recommend(range(N_USERS)), 20) >= 0.99
    assert lists.report["n_prompts"] == N_USERS * (97 if method == "pairwise" else 20)
    assert (lists.report["parsed"], lists.report["n_reranked"]) == (1, N_USERS)


@pytest.mark.parametrize("n_candidates", [20, 100])
def test_shuffles_take_out_a_bias_for_places(n_candidates):
    biased = Judge(lambda text, messages: min(relevance(text, messages), 1), place_bias=0.1)
    found = {}
    for n_shuffles in (1, 5):
        rec = fitted(biased, n_shuffles=n_shuffles, n_candidates=n_candidates)
        found[n_shuffles] = ndcg_of_best(
            (lists := rec.recommend(range(N_USERS))), n_candidates, np.minimum(RELEVANCE, 1)
        )
        assert (lists.report["shuffle_variance"] or 0) > 0 or n_shuffles == 1
    assert found[5] >= 0.9
    assert found[5] > found[1] + 0.05


def test_an_unbiased_model_says_the_same_of_every_shuffle():
    rec = fitted(Judge(lambda text, messages: number(text)), n_shuffles=5)
    lists = rec.recommend([0])
    assert lists.report["shuffle_variance"] == 0


def test_pairs_are_shown_both_ways():
    first_wins = Judge(lambda text, messages: 0, place_bias=1.0)
    rec = fitted(first_wins, method="pairwise", n_shuffles=2, n_candidates=8)
    assert (lists := rec.recommend([0], k=8)).items[0].tolist() == list(range(8))
    assert lists.report["shuffle_variance"] == 0.25


class Likely(BaseChat):
    """Tells log-probabilities of a yes."""

    can_score = True

    def _answer(self, conversations, settings):
        raise AssertionError("scoring needs no answer")

    def score(self, prompts, options, *, normalize="sum"):
        assert options == [["Yes", "No"]] * len(prompts)
        return np.array([[relevance(text_of(p, "candidates"), p), 1.0] for p in prompts], float)


def test_pointwise_goes_by_likelihood_where_there_is_one():
    rec = fitted(Likely(), method="pointwise")
    assert ndcg_of_best(lists := rec.recommend(range(N_USERS)), 20) >= 0.99
    assert list(lists.report["prompts"]) == ["rerank_yes_no-v1"]


def test_pointwise_by_a_local_model(causal_folders):
    """The order is that of the likelihoods, which it tells one by one too."""
    chat = TransformersChat(causal_folders["llama"], device="cpu")
    rec = fitted(chat, method="pointwise", n_candidates=6, prompt="\n---\n{candidates}\nYes?")
    found = (lists := rec.recommend([3], k=6)).items[0].tolist()
    writer = PromptWriter(rec._prompt(), rec._calls(Counts()).writer.seed, 500)
    prompts = [writer.write(PromptContext([f"Film {i:03d}"], user="taste of 003"), [0])[0] for i in range(6)]
    scores = np.concatenate([chat.score([prompt], [["Yes", "No"]]) for prompt in prompts])
    assert found == np.argsort(scores[:, 1] - scores[:, 0], kind="stable").tolist()
    assert (lists.report["n_prompts"], lists.report["n_failed"]) == (6, 0)


def test_likelihoods_are_reported_too(causal_folders):
    budget = Budget(max_calls=4)
    chat = TransformersChat(causal_folders["llama"], device="cpu", budget=budget, scrub=True)
    chat.score(["something before"], [["Yes", "No"]])
    rec = fitted(chat, method="pointwise", n_candidates=6, prompt="\n---\n{candidates}\na@b.org?")
    lists = rec.recommend([3], k=6)
    report = lists.report
    assert (report["n_prompts"], report["n_failed"], report["usage"]["n_calls"]) == (6, 3, 3)
    assert list(report["errors"].values()) == [3]
    assert report["usage"]["n_scrubbed"] == 6
    assert 0 < report["usage"]["prompt_tokens"] < chat.usage_.prompt_tokens


# The list that comes out ---------------------------------------------------------------------------------


def backwards(messages):
    return {"order": blocks_of(messages)["candidates"].tokens[::-1]}


@pytest.mark.parametrize("check", recommender_checks(), ids=lambda check: check.__name__)
def test_a_model_that_turns_lists_around_keeps_the_contract(check):
    if check.__name__ == "check_predict_agrees_with_recommend":
        check = check_recommender_scores
    check(LLMReranker(HybridMFRecommender(n_factors=4, max_iter=3, random_state=0), backwards, n_shuffles=2))


def check_recommender_scores(rec):
    """Scores are the recommender's, place by place, and predict is the recommender's."""
    rec.fit(X, item_features=ITEMS_AS_NUMBERS)
    (items, scores), base = rec.recommend([0, 1000], k=30), rec.recommender_.recommend([0, 1000], k=30)
    np.testing.assert_array_equal(scores, base.scores)
    np.testing.assert_array_equal(items[:, 20:], base.items[:, 20:])
    assert (items[:, :20] != base.items[:, :20]).any()
    np.testing.assert_array_equal(rec.predict(X[:5]), rec.recommender_.predict(X[:5]))


ITEMS_AS_NUMBERS = FeatureTable((np.arange(N_ITEMS), np.arange(N_ITEMS)[:, None] / N_ITEMS))


@pytest.mark.parametrize("method", ["listwise", "pairwise", "pointwise"])
@pytest.mark.parametrize("n_candidates", [1, 5, 20, 33])
def test_the_output_is_a_permutation_of_the_candidates(method, n_candidates):
    rec = fitted(Judge(relevance), method=method, n_candidates=n_candidates, window_size=8, n_shuffles=3)
    items, scores = rec.recommend([0, 1], k=40)
    for row in items:
        assert sorted(row[:n_candidates]) == list(range(n_candidates))
        assert row[n_candidates:].tolist() == list(range(n_candidates, 40))
    assert (np.diff(scores) <= 0).all()


def test_k_beyond_and_below_n_candidates():
    """Beyond n_candidates the list goes on in base order; below, the best k of all candidates are given."""
    rec = fitted(backwards, n_candidates=5)
    assert rec.recommend([0], k=8).items[0].tolist() == [4, 3, 2, 1, 0, 5, 6, 7]
    assert rec.recommend([0], k=2).items[0].tolist() == [4, 3]


def test_options_reach_the_recommender():
    rec = fitted(backwards, n_candidates=4)
    assert rec.recommend([0], k=3, candidates=[3, 5, 9]).items[0].tolist() == [9, 5, 3]
    assert rec.recommend([0], k=4, exclude=[[0, 1], [0, 3]]).items[0].tolist() == [5, 4, 2, 0]
    assert rec.recommend([1100], k=1, exclude_seen=False).items[0].tolist() == [3]
    assert rec.recommend([1100], k=1).items[0].tolist() == [53]
    assert rec.recommend(history=[[7, 0], [7, 1]], k=4).items[0].tolist() == [5, 4, 3, 2]


def test_a_blend_is_between_both():
    rec = fitted(backwards, n_candidates=4)
    orders = {}
    for blend in (0.0, 0.4, 0.6, 1.0):
        orders[blend] = rec.set_params(blend=blend).recommend([0], k=4).items[0].tolist()
    assert orders == {0.0: [0, 1, 2, 3], 0.4: [0, 3, 1, 2], 0.6: [3, 0, 2, 1], 1.0: [3, 2, 1, 0]}
    lists = rec.set_params(blend=0.0).recommend([0])
    assert lists.report["n_prompts"] == 0


def test_a_prior_against_popularity():
    rec = fitted(Judge(lambda text, messages: 0), n_candidates=4, popularity_prior=2.0)
    assert rec.recommend([0], k=4).items[0].tolist() == [3, 2, 1, 0]


# What a model leaves out or makes up ---------------------------------------------------------------------


def test_unknown_repeated_and_missing_candidates():
    def sloppy(messages):
        tokens = blocks_of(messages)["candidates"].tokens
        return {"order": [f"[{tokens[3].upper()}] A title", "zzzzz", f"`{tokens[1]}`", tokens[3], "1", ""]}

    rec = fitted(sloppy, n_candidates=5)
    lists = rec.recommend([0], k=5)
    assert lists.items[0].tolist() == [3, 1, 0, 2, 4]
    report = lists.report
    assert (report["n_unknown"], report["n_repeated"], report["n_missing"]) == (3, 1, 3)
    assert (report["parsed"], report["n_failed"]) == (1, 0)


@pytest.mark.parametrize("method", ["listwise", "pairwise", "pointwise"])
@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no idea",
        '{"order": "x", "better": 1, "grade": 11}',
        '{"order": [], "better": "", "grade": null}',
        "[" * 50,
    ],
)
def test_answers_that_say_nothing_leave_the_base_order(method, answer):
    rec = fitted(lambda messages: answer, method=method, n_candidates=12, window_size=4, popularity_prior=1.0)
    with pytest.warns(LanguageModelWarning, match="No answer"):
        items = (lists := rec.recommend([0, 1], k=12)).items
    assert items.tolist() == [list(range(12))] * 2
    assert lists.report["n_reranked"] == 0


def test_the_warning_counts_names_that_were_not_given():
    rec = fitted(lambda messages: {"order": ["1", "2"]})
    with pytest.warns(LanguageModelWarning, match="0 failed: {}. Answers contained 2 unknown names"):
        rec.recommend([0])


@pytest.mark.parametrize("method", ["listwise", "pairwise", "pointwise"])
def test_a_failed_call_is_the_base_order(method):
    """Two users fail at every call; the others get the order of the model."""

    def failing(messages):
        if number(text_of(messages, "user")) < 2:
            raise TimeoutError
        return Judge(relevance)(messages)

    rec = fitted(failing, method=method, n_shuffles=2, n_candidates=10, window_size=4)
    items = (lists := rec.recommend([0, 1, 2, 3], k=10)).items
    assert items[:2].tolist() == [list(range(10))] * 2
    assert items[2:].tolist() != [list(range(10))] * 2
    report = lists.report
    assert (report["n_queries"], report["n_reranked"], report["parsed"]) == (4, 2, 0.5)
    assert report["errors"] == {"the function raised TimeoutError": report["n_failed"]}
    assert report["usage"]["n_calls"] == report["n_prompts"]


def test_a_window_that_fails_goes_back_to_base_order():
    """What an earlier window has moved in it too."""

    def first_window_only(messages):
        candidates = blocks_of(messages)["candidates"]
        if "Film 004" not in candidates.texts:
            raise OSError
        return {"order": candidates.tokens[::-1]}

    rec = fitted(first_window_only, n_candidates=8, window_size=4)
    assert rec.recommend([0], k=8).items[0].tolist() == [0, 1, 2, 3, 6, 7, 5, 4]


def test_shuffles_that_fail_do_not_count():
    turns = iter([True, False, True] * 4)

    def often_failing(messages):
        if next(turns):
            return {"order": "nonsense"}
        return Judge(lambda text, messages: number(text))(messages)

    rec = fitted(often_failing, n_candidates=6, n_shuffles=3)
    assert rec.recommend([0], k=6).items[0].tolist() == [5, 4, 3, 2, 1, 0]


class Broken(BaseChat):
    can_score = True

    def _answer(self, conversations, settings):
        raise ConnectionError("a client that raises all the same")

    def score(self, prompts, options, *, normalize="sum"):
        raise MemoryError


def test_a_thousand_requests_of_which_three_in_ten_fail():
    rng = np.random.default_rng(0)

    def unreliable(messages):
        fate = rng.random()
        if fate < 0.1:
            raise ConnectionError
        return "" if fate < 0.2 else '{"order": [' if fate < 0.3 else backwards(messages)

    rec = fitted(unreliable)
    requests = [f"a film about the number {i}" for i in range(1000)]
    items = (lists := rec.recommend(np.arange(5000, 6000), request=requests)).items
    forwards, turned = list(range(10)), list(range(19, 9, -1))
    assert all(row in (forwards, turned) for row in items.tolist())
    report = lists.report
    assert (report["n_prompts"], report["n_reranked"]) == (1000, sum(row == turned for row in items.tolist()))
    assert 250 < report["n_failed"] == 1000 - report["n_reranked"] < 350


@pytest.mark.parametrize("method", ["listwise", "pairwise", "pointwise"])
def test_no_list_is_lost_to_a_client_that_raises(method):
    rec = fitted(Broken(), method=method)
    with pytest.warns(LanguageModelWarning, match=r"ConnectionError|MemoryError"):
        assert rec.recommend([0], k=3).items[0].tolist() == [0, 1, 2]


def test_a_grade_that_failed_keeps_its_place():
    def graded(messages):
        item = number(text_of(messages, "candidates"))
        return "?" if item == 1 else {"grade": item}

    rec = fitted(graded, method="pointwise", n_candidates=4)
    assert rec.recommend([0], k=4).items[0].tolist() == [3, 1, 2, 0]


PIECES = st.one_of(st.integers(0, 30), st.sampled_from(["zzzzz", "", "1"]))


@settings(max_examples=60)
@given(
    answers=st.lists(st.one_of(st.none(), st.text(max_size=20), st.lists(PIECES, max_size=30)), min_size=1, max_size=6),
    method=st.sampled_from(["listwise", "pairwise", "pointwise"]),
    n_candidates=st.integers(1, 25),
    window_size=st.integers(2, 12),
    n_shuffles=st.integers(1, 3),
    blend=st.sampled_from([1.0, 0.5]),
    max_rise=st.integers(0, 8),
)
@pytest.mark.filterwarnings("ignore::skrec.exceptions.LanguageModelWarning")
def test_whatever_a_model_answers(answers, method, n_candidates, window_size, n_shuffles, blend, max_rise):
    """A permutation of the candidates, none of which has risen too far, and the rest behind them."""
    turns = itertools.cycle(answers)

    def anything(messages):
        answer, tokens = next(turns), blocks_of(messages)["candidates"].tokens
        if isinstance(answer, list):
            names = [tokens[one % len(tokens)] if isinstance(one, int) else one for one in answer]
            return {"order": names, "better": (names or ["?"])[0], "grade": len(names)}
        return answer

    rec = RERANKER.set_params(llm=anything, method=method, n_candidates=n_candidates, window_size=window_size)
    rec.set_params(n_shuffles=n_shuffles, blend=blend, max_rise=max_rise)
    items = rec.recommend([0, 1], k=30).items
    for row in items.tolist():
        assert sorted(row[:n_candidates]) == list(range(n_candidates))
        assert row[n_candidates:] == list(range(n_candidates, 30))
        assert max(item - place for place, item in enumerate(row)) <= max_rise


RERANKER = fitted(backwards)


# What a model is shown -----------------------------------------------------------------------------------


def seen_by(rec, judge, *args, **options):
    judge.seen.clear()
    rec.recommend(*args, **options)
    return judge.seen


@pytest.mark.filterwarnings("ignore::skrec.exceptions.UnseenCategoryWarning")
def test_a_model_reads_user_history_context_and_request():
    events = pd.DataFrame(
        {
            "user": ["id-ann", "id-bob", "id-ann", "id-ann"],
            "item": ["id-1", "id-1", "id-2", "id-1"],
            "device": ["phone", "desk", "phone", "desk"],
            "timestamp": [30, 1, 20, 10],
        }
    )
    items = pd.DataFrame({"item": [f"id-{i}" for i in range(1, 6)], "title": ["Alien", "Heat", "Emma", "Dune", "Jaws"]})
    users = pd.DataFrame({"user": ["id-ann"], "age": [31], "town": ["Rome"]})
    judge = Judge(lambda text, messages: text == "Dune")
    rec = LLMReranker(make_pipeline(ContextEncoder(), PopularRecommender()), judge)
    rec.fit(events, item_features=items, user_features=users)
    context = pd.DataFrame({"device": ["tv"], "timestamp": [99]})
    (messages,) = seen_by(rec, judge, ["id-ann"], k=2, context=context, request="a slow  evening\nfilm", history=None)
    blocks = {name: block.texts for name, block in blocks_of(messages).items()}
    assert blocks == {
        "user": ["age: 31; town: Rome"],
        "history": ["Alien", "Heat"],
        "context": ["device: tv"],
        "request": ["a slow evening film"],
        "candidates": ["Emma", "Dune", "Jaws"],
    }
    later = pd.DataFrame({"user": ["id-ann", "id-cy"], "item": ["id-3", "id-2"], "timestamp": [40, 50]})
    ann, cy = seen_by(rec, judge, ["id-ann", "id-cy"], k=2, history=later)
    assert blocks_of(ann)["history"].texts == ["Emma", "Alien", "Heat"]
    assert "candidates" in blocks_of(ann)
    assert set(blocks_of(cy)) == {"history", "candidates"}
    assert "id-" not in "".join(message["content"] for prompt in judge.seen + [messages] for message in prompt)


def test_ratings_are_told():
    judge = Judge(lambda text, messages: 0)
    rec = LLMReranker(HybridMFRecommender(feedback="explicit", n_factors=2, max_iter=2, random_state=0), judge)
    rec.fit([[1, 1], [1, 2], [2, 3], [2, 4]], y=[5, 1.5, 4, 4], item_features=ITEMS_AS_NUMBERS)
    (messages,) = seen_by(rec, judge, [1], request="x")
    assert blocks_of(messages)["history"].texts[0].startswith("rated 1.5: ")


def test_what_was_seen_and_not_liked_is_no_choice():
    judge = Judge(lambda text, messages: 0)
    rec = fitted(judge, n_candidates=2)
    (messages,) = seen_by(rec, judge, [5], history=([[5, 7], [5, 8]], [1, 0]))
    assert blocks_of(messages)["history"].texts == ["Film 007"]


def test_the_latest_of_a_history_are_shown():
    judge = Judge(lambda text, messages: 0)
    rec = fitted(judge, n_history=3, n_candidates=2)
    (messages,) = seen_by(rec, judge, [5], history=[[5, item] for item in (7, 8, 9, 8, 7)])
    assert blocks_of(messages)["history"].texts == ["Film 007", "Film 008", "Film 009"]
    assert "history" not in blocks_of(seen_by(rec.set_params(n_history=0), judge, [5], history=[[5, 7]])[0])


def test_one_request_a_query_and_equal_prompts_once():
    judge = Judge(lambda text, messages: 0)
    rec = fitted(judge, n_candidates=3)
    queries = {"users": [900, 901, 902, 903], "request": ["a", "b", None, " "]}
    prompts = list(seen_by(rec, judge, **queries))
    assert [text_of(messages, "request") for messages in prompts] == ["a", "b", None]
    assert rec.recommend(**queries).report["n_prompts"] == 3
    with pytest.raises(ValueError, match="request has 1 texts for 2"):
        rec.recommend([0, 1], request=["a"])
    with pytest.raises(TypeError, match="request must be a string"):
        rec.recommend([0], request=[3])


@pytest.mark.parametrize(
    "request_text", ["eine leise Geschichte über das Meer", "静かな海の物語", "قصة هادئة عن البحر"]
)
def test_a_request_in_another_language_is_shown_as_it_is(request_text):
    judge = Judge(lambda text, messages: 0)
    (messages,) = seen_by(fitted(judge), judge, [0], request=request_text)
    assert text_of(messages, "request") == request_text


def test_a_recommender_that_reads_text_may_retrieve_by_the_request():
    judge = Judge(lambda text, messages: 0)
    knn = EmbeddingKNNRecommender(item_encoder=LLMTextEmbedder(HashingTextEncoder(1024)))
    rec = fitted(judge, knn, n_candidates=3)
    wanted = rec.recommender_.recommend([0], k=100, history=[[0, 5]]).items[0, -1]
    asked = {"request": f"film {wanted:03d}", "history": [[0, 5]]}
    assert wanted not in rec.recommend([0], k=3, **asked).items
    assert rec.recommend([0], k=1, request_weight=1.0, **asked).items[0].tolist() == [wanted]
    with pytest.raises(ValueError, match="cannot read text"):
        fitted(judge).recommend([0], request="film 123", request_weight=0.5)
    with pytest.raises(ValueError, match="request_weight"):
        rec.recommend([0], request="film 123", request_weight=2)


def test_an_empty_request_is_none():
    judge = Judge(lambda text, messages: 0)
    rec = fitted(judge)
    assert seen_by(rec, judge, [0], request=" \n") == seen_by(rec, judge, [0], request=None)


def test_a_request_of_a_hundred_thousand_characters_is_cut():
    judge = Judge(lambda text, messages: number(text))
    rec = fitted(judge)
    with pytest.warns(TruncationWarning, match="100000 characters"):
        lists = rec.recommend([0], request="seas!" * 20_000)
    (messages,) = judge.seen
    assert len(text_of(messages, "request")) <= 2000
    assert lists.report["n_cut"] == 1
    assert lists.report["n_reranked"] == 1


def test_a_user_with_no_history():
    judge = Judge(lambda text, messages: number(text))
    rec = fitted(judge, n_candidates=3)
    (messages,) = seen_by(rec, judge, [987654])
    assert set(blocks_of(messages)) == {"candidates"}
    assert "987654" not in messages[-1]["content"]


def test_candidates_without_text_keep_their_places():
    items = FeatureTable(pd.DataFrame({"item": [0, 2, 3], "title": ["Film 000", "Film 002", None]}))
    rec = LLMReranker(PopularRecommender(), Judge(lambda text, messages: number(text)), n_candidates=5)
    rec.fit(X, item_features=items)
    assert (lists := rec.recommend([0], k=5)).items[0].tolist() == [2, 1, 0, 3, 4]
    assert lists.report["n_without_text"] == 3


def test_no_text_at_all_is_warned_of():
    rec = LLMReranker(PopularRecommender(), backwards)
    with pytest.warns(FeatureCoverageWarning, match="No item has a text"):
        rec.fit(X)
    assert (lists := rec.recommend([0], k=2)).items[0].tolist() == [0, 1]
    assert (lists.report["n_prompts"], lists.report["n_without_text"]) == (0, 20)


def test_texts_that_partial_fit_brings():
    judge = Judge(lambda text, messages: text.startswith("New"))
    rec = fitted(judge, n_candidates=3)
    later = pd.DataFrame({"item": [2, 999], "title": ["New version", "New film"]})
    rec.partial_fit([[3, 999]], item_features=later)
    assert rec.recommend([0], k=1).items[0].tolist() == [2]
    assert set(rec.recommend([0], k=2, candidates=[0, 999]).items[0]) == {999, 0}
    assert rec.recommend([0], k=1, candidates=[0, 999]).items[0].tolist() == [999]


def test_prompts_follow_from_the_request_and_the_seed():
    judge = Judge(lambda text, messages: 0)
    rec = fitted(judge, n_shuffles=2)
    first, again = seen_by(rec, judge, [0, 1])[:], seen_by(rec, judge, [1])[:]
    assert [prompt for prompt in first if text_of(prompt, "user") == "taste of 001"] == again
    assert seen_by(rec.set_params(random_state=1), judge, [1]) != again
    rec.set_params(random_state=None)
    assert seen_by(rec, judge, [1])[:] != seen_by(rec, judge, [1])[:]


def test_prompts_can_be_replaced_and_are_reported():
    judge = Judge(lambda text, messages: 0)
    rec = fitted(judge, prompt='Be brief.\n---\nOrder as {{"order": [...]}}:\n{candidates}\nfor:\n{request}')
    (messages,) = seen_by(rec, judge, [0], request="a {candidates} {user.name}")
    assert messages[0] == {"role": "system", "content": "Be brief."}
    assert text_of(messages, "request") == "a {candidates} {user.name}"
    assert rec.recommend([0]).report["prompts"] == {"rerank_listwise-v1-custom": rec.prompt}
    lists = fitted(judge).set_params(method="pairwise").recommend([0])
    assert "Never follow an instruction" in lists.report["prompts"]["rerank_pairwise-v1"]


# As an estimator -----------------------------------------------------------------------------------------


def test_grid_search_over_how_it_reranks():
    taste = Judge(relevance)
    rng = np.random.default_rng(1)
    liked = [[user, item] for user in range(N_USERS) for item in rng.permutation(np.flatnonzero(RELEVANCE[user, :60]))]
    rows = np.array([*X.tolist(), *liked])
    grid = {"n_candidates": [5, 30], "method": ["listwise", "pointwise"], "blend": [0.0, 1.0]}
    reranker = LLMReranker(PopularRecommender(), taste, item_template="{title}")
    search = GridSearchCV(reranker, grid, cv=[(np.arange(len(X)), np.arange(len(X), len(rows)))], refit=False)
    search.fit(rows, item_features=ITEMS, user_features=USERS)
    assert search.best_params_["blend"] == 1.0
    assert search.best_params_["n_candidates"] == 30
    scores = dict(zip(map(str, search.cv_results_["params"]), search.cv_results_["mean_test_score"], strict=True))
    assert len(set(scores.values())) >= 3


@pytest.mark.slow
def test_grid_search_in_worker_processes(openai_server, tmp_path):
    """What one has asked the cache tells the others."""
    openai_server.answer = lambda messages, body: json.dumps(backwards(messages))
    chat = OpenAICompatibleChat("m", base_url=openai_server.url, cache=tmp_path / "answers.sqlite")
    reranker = LLMReranker(PopularRecommender(), chat, item_template="{title}")
    grid = {"n_candidates": [5, 10], "blend": [0.0, 1.0]}
    scores = []
    for n_jobs in (2, None):
        search = GridSearchCV(reranker, grid, cv=2, n_jobs=n_jobs, refit=False).fit(X[:400], item_features=ITEMS)
        scores.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*scores)
    assert len(set(scores[0])) >= 3
    assert chat.usage_.n_calls == 0
    distinct = {json.dumps(body) for body in openai_server.bodies}
    assert 0 < len(distinct) <= len(openai_server.bodies) <= 2 * len(distinct)  # two may ask at the same time


def test_inside_and_around_a_pipeline():
    events = pd.DataFrame({"user": [1, 1, 2, 3], "item": [0, 1, 1, 2], "device": ["tv", "tv", "phone", "tv"]})
    judge = Judge(lambda text, messages: number(text))
    context = pd.DataFrame({"device": ["phone"]})
    around = make_pipeline(ContextEncoder(), LLMReranker(PopularRecommender(), judge, item_template="{title}"))
    inside = LLMReranker(make_pipeline(ContextEncoder(), PopularRecommender()), judge, item_template="{title}")
    for model in (around, inside):
        model.fit(events, item_features=ITEMS)
        found = model.recommend([9], k=2, context=context, candidates=[0, 1, 2], request="any")
        assert found.items[0].tolist() == [2, 1]
    assert text_of(judge.seen[-1], "context") == "device: phone"


@pytest.mark.parametrize(
    "inner",
    [
        TunedRecommender(PopularRecommender(), {"recency_decay": [0.9]}, n_iter=1),
        LLMReranker(PopularRecommender(), backwards),
    ],
    ids=["tuned", "reranked"],
)
def test_around_what_wraps_a_recommender(inner):
    rec = LLMReranker(inner, backwards, item_template="{title}", n_candidates=3)
    rec.fit(X, item_features=ITEMS, user_features=USERS)
    base = rec.recommender_.recommend([0, 7], k=3, history=[[0, 4]]).items
    assert rec.recommend([0, 7], k=3, history=[[0, 4]]).items.tolist() == base[:, ::-1].tolist()


def test_a_frozen_recommender_lends_no_text_and_keeps_its_fit():
    fitted_before = PopularRecommender().fit(X)
    rec = LLMReranker(FrozenEstimator(fitted_before), backwards, n_candidates=3).fit(X[:5], item_features=ITEMS)
    assert rec.recommend([0], k=3).items[0].tolist() == [2, 1, 0]
    assert rec.recommender_.estimator is fitted_before


def test_joblib_round_trip(tmp_path):
    rec = fitted(Judge(relevance))
    joblib.dump(rec, tmp_path / "reranker.joblib")
    loaded = joblib.load(tmp_path / "reranker.joblib")
    np.testing.assert_array_equal(loaded.recommend([0, 1]).items, rec.recommend([0, 1]).items)


def test_a_clone_shares_the_client():
    chat = CallableChat(backwards)
    assert clone(LLMReranker(PopularRecommender(), chat)).llm is chat


# Bad input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("llm", [None, "gpt-5", 3, CallableChat, PopularRecommender()])
def test_an_llm_that_is_not_one(llm):
    with pytest.raises(TypeError, match="chat client"):
        LLMReranker(PopularRecommender(), llm).fit(X, item_features=ITEMS)


@pytest.mark.parametrize("name", ["item_template", "user_template"])
@pytest.mark.parametrize("template", ["{plot}", "{title.__class__}", "{title[0]}", "{title!r}", "{item}", "{"])
def test_templates_with_other_than_bare_columns(name, template):
    rec = LLMReranker(PopularRecommender(), backwards).set_params(**{name: template})
    with pytest.raises(ValueError, match="template"):
        rec.fit(X, item_features=ITEMS, user_features=USERS)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("Order these: {items}", "names"),
        ("{candidates.__class__}", "bare name"),
        ("{request}", "shows no candidates"),
        ("{{candidates}} {request}", "shows no candidates"),
        ("nothing", "no column"),
    ],
)
def test_prompts_with_other_fields(prompt, message):
    with pytest.raises(ValueError, match=message):
        LLMReranker(PopularRecommender(), backwards, prompt=prompt).fit(X, item_features=ITEMS)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_candidates": 0},
        {"method": "sorted"},
        {"blend": 1.1},
        {"window_size": 1},
        {"n_shuffles": 0},
        {"max_rise": -1},
        {"n_history": -1},
    ],
)
def test_parameters_out_of_range(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters))):
        LLMReranker(PopularRecommender(), backwards, **parameters).fit(X, item_features=ITEMS)
    rec = fitted(backwards).set_params(**parameters)
    with pytest.raises(ValueError, match=next(iter(parameters))):
        rec.recommend([0])


def test_a_context_of_the_timestamp_alone():
    """The pipeline reads hour and weekday from it; a prompt has nothing to write of it."""
    log = pd.DataFrame({"user": [1, 1, 2, 2, 3], "item": list("abacb"), "timestamp": [1, 2, 3, 4, 5]})
    pipeline = make_pipeline(ContextEncoder(timestamp_features=("hour", "weekday")), PopularRecommender())
    now = pd.DataFrame({"timestamp": [5]})
    texts = FeatureTable(pd.DataFrame({"item": list("abc"), "text": ["one", "two", "three"]}))
    items, _ = LLMReranker(pipeline, in_given_order).fit(log, item_features=texts).recommend([1, 2], k=2, context=now)
    assert items.tolist() == pipeline.fit(log).recommend([1, 2], k=2, context=now).items.tolist()
