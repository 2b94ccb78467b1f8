"""A language model that reorders the recommendations of a recommender."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skrec._chat import LanguageModel, Prompt, as_chat, read_prompt
from skrec.base import check_request_weight, request_texts
from skrec.exceptions import LanguageModelWarning, TruncationWarning
from skrec.interactions import (
    CandidateIds,
    FeatureMatrix,
    FeatureSource,
    History,
    Ids,
    Recommendations,
    Table,
    list_length,
)
from skrec.llm._orders import blend_orders, limit_rise, penalize_popularity
from skrec.llm._prompt_context import (
    LONGER,
    PromptContext,
    PromptWriter,
    check_prompt,
    context_texts,
    latest_texts,
)
from skrec.llm._prompt_recommender import PROMPT_CONSTRAINTS, PromptRecommender
from skrec.llm._rerank_calls import Calls, Counts
from skrec.llm._rerank_methods import Orders, listwise, pairwise, pointwise
from skrec.llm._row_texts import RowTexts
from skrec.utils import RandomState, Recommender, Text, caller_level, on_snapshot

_BLOCK = 1024
"""Queries whose prompts are held in memory at a time."""


class LLMReranker(PromptRecommender):
    """Let a language model reorder the first recommendations of any recommender.

    The recommender retrieves ``n_candidates`` items per query. The model reads their texts, the latest items of
    the user, the features of the user, the context and a free-text request, and orders the candidates. Candidates
    without a usable answer keep the order of the recommender, so that every query gets a full list.

    Parameters
    ----------
    recommender : recommender, Pipeline or FrozenEstimator
        A clone of it is fitted; a :class:`~sklearn.frozen.FrozenEstimator` is kept as it is.
    llm : chat client or callable
        A client of :mod:`skrec.llm`, or a function from messages ``[{"role": ..., "content": ...}]`` to the
        answer. Clones share it.
    method : {"listwise", "pairwise", "pointwise"}, default="listwise"
        "listwise": the model orders lists. More than ``window_size`` candidates are read in windows from the last
        to the first, with an overlap of half a window. "pairwise": it compares two candidates at a time, about
        n (log2 n)^2 / 4 times for n candidates (97 for 20). "pointwise": it judges each candidate alone, by the
        likelihood of a yes where the model gives likelihoods, else by a grade from 0 to 10.
    n_candidates : int, default=20
        Number of items per query that the model reorders. Where ``k`` is greater, the rest of the list is in the
        order of the recommender.
    blend : float, default=1.0
        1: the order of the model. 0: the order of the recommender, without a call. Between them, both orders are
        combined by weighted reciprocal ranks.
    window_size : int, default=20
        Candidates in one prompt of "listwise".
    n_shuffles : int, default=1
        How often each list or pair is shown, in different orders; the mean rank counts. This reduces position
        bias, and multiplies the number of calls. 1 shows the order of the recommender. "pointwise" ignores it.
    popularity_prior : float, default=0.0
        Against a bias towards popular items: the most popular candidate moves down by up to this share of the
        list.
    max_rise : int, default=None
        Maximum number of places that an item may rise above its place in the list of the recommender. It limits
        the effect of prompt injection by item texts. None sets no limit.
    n_history : int, default=10
        Number of items of the history that the model reads, the latest first.
    item_template : str, default=None
        Text of an item by columns of ``item_features``, such as ``"{title}, {year}: {description}"``. None
        writes all columns with their names, without the id.
    user_template : str, default=None
        The same for ``user_features``.
    max_chars : int, default=500
        Maximum number of characters of an item in a prompt; four times as many for the user, the context and
        the request.
    prompt : str, default=None
        A prompt that replaces the default one: a system message, a line ``---``, and a template with
        ``{candidates}`` and, optionally, ``{user}``, ``{history}``, ``{context}`` and ``{request}``. A template
        alone keeps the default system message. None is the file ``rerank_METHOD-v1.txt``.
    max_tokens : int, default=1024
        Maximum number of tokens of an answer; raised to 16 per candidate where a list needs more.
    random_state : int, RandomState instance or None, default=0
        Seed of shuffles, and of the tokens that stand for candidates in prompts. With an int, the same request
        gives the same prompt, which a cache can answer.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.

    See Also
    --------
    skrec.llm.LLMExplainer : Explains recommendations.

    Notes
    -----
    Prompts contain no ids: candidates are named by random tokens, in data blocks that no text can close. The text
    of an item can still influence the model; ``max_rise`` limits the effect.

    An item without a text is not shown and keeps its place. ``fit`` passes ``item_features`` to the recommender,
    which needs an encoder for text if it reads features. To fit it without them, pass
    ``FrozenEstimator(recommender.fit(X))``. With context, wrap the pipeline that encodes it, so that the model
    reads the context as it was given.

    Candidates of a failed call keep the order of the recommender. If all calls of a query fail, its list is that
    of the recommender. The scores of a list are those of the recommender at the same places: they decrease along
    a row and are comparable within it. ``predict`` is that of the recommender.

    ``report`` of the result counts ``n_queries``, of which ``n_reranked`` were reordered; ``n_prompts``, of which
    ``n_failed`` got no valid answer (``parsed`` is the share of the others, ``errors`` holds the reasons) and
    ``n_cached`` came from the cache; ``n_unknown``, ``n_repeated`` and ``n_missing`` candidates in answers;
    ``n_without_text`` candidates and ``n_cut`` (truncated) texts; ``shuffle_variance``, the variance of a rank over
    shuffles (of a vote, for pairs); ``usage`` in calls, tokens and ``n_scrubbed``, items of personal data removed from
    prompts; ``prompts`` by name; and, as ``recommender``, the report of the recommender if it has one. It contains no
    text of a user or an item.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.llm import HeuristicChat, LLMReranker
    >>> X = pd.DataFrame({"user": [1, 1, 2, 3], "item": [10, 20, 10, 30]})
    >>> films = pd.DataFrame({"item": [10, 20, 30], "plot": ["horror in space", "a heist", "a love story"]})
    >>> rec = LLMReranker(PopularRecommender(), HeuristicChat()).fit(X, item_features=films)
    >>> rec.recommend([4], k=3, request="a story about love").items
    array([[30, 20, 10]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "method": [StrOptions({"listwise", "pairwise", "pointwise"})],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "blend": [Interval(Real, 0, 1, closed="both")],
        "window_size": [Interval(Integral, 2, None, closed="left")],
        "n_shuffles": [Interval(Integral, 1, 100, closed="both")],
        "popularity_prior": [Interval(Real, 0, None, closed="left")],
        "max_rise": [Interval(Integral, 0, None, closed="left"), None],
        "n_history": [Interval(Integral, 0, None, closed="left")],
        **PROMPT_CONSTRAINTS,
    }

    _effect_of_no_text = "the order of the recommender stays"

    def __init__(
        self,
        recommender: Recommender,
        llm: LanguageModel,
        *,
        method: Literal["listwise", "pairwise", "pointwise"] = "listwise",
        n_candidates: int = 20,
        blend: float = 1.0,
        window_size: int = 20,
        n_shuffles: int = 1,
        popularity_prior: float = 0.0,
        max_rise: int | None = None,
        n_history: int = 10,
        item_template: str | None = None,
        user_template: str | None = None,
        max_chars: int = 500,
        prompt: str | None = None,
        max_tokens: int = 1024,
        random_state: RandomState = 0,
    ) -> None:
        self.recommender = recommender
        self.llm = llm
        self.method = method
        self.n_candidates = n_candidates
        self.blend = blend
        self.window_size = window_size
        self.n_shuffles = n_shuffles
        self.popularity_prior = popularity_prior
        self.max_rise = max_rise
        self.n_history = n_history
        self.item_template = item_template
        self.user_template = user_template
        self.max_chars = max_chars
        self.prompt = prompt
        self.max_tokens = max_tokens
        self.random_state = random_state

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec._chat import in_given_order
        from skrec.dummy import PopularRecommender

        return [cls(PopularRecommender(), in_given_order)]

    # Fit -------------------------------------------------------------------------------------------------

    def _check_wrapper(self) -> None:
        as_chat(self.llm)
        check_prompt(self._prompt())
        self._check_templates()

    def _prompt(self) -> Prompt:
        name: str = self.method
        if name == "pointwise":
            name = "yes_no" if as_chat(self.llm).can_score else "grade"
        return read_prompt(self.prompt, f"rerank_{name}-v1")

    # Recommend -------------------------------------------------------------------------------------------

    @on_snapshot
    def recommend(
        self,
        users: Ids | None = None,
        k: int = 10,
        *,
        context: Table | None = None,
        history: History | None = None,
        candidates: CandidateIds | None = None,
        exclude_seen: bool = True,
        exclude: Table | None = None,
        request: str | Sequence[str | None] | None = None,
        request_weight: float | None = 0.0,
        user_features: FeatureSource | FeatureMatrix | None = None,
    ) -> Recommendations:
        """Rank items for users; the language model orders the first ``n_candidates``.

        Parameters
        ----------
        users, k, context, history, candidates, exclude_seen, exclude
            As in ``recommend`` of the recommender.
        request : str, or list of n_users str or None, default=None
            What the user asks for, in free text: one text for all, or one per user. The model reads it.
        request_weight : float in [0, 1], default=0.0
            Weight of the request in the retrieval, for a recommender that reads text. At 0 it retrieves by taste
            alone.
        user_features : frame, pair (ids, matrix) or FeatureTable, default=None
            Features of users, found by id: of new ones, or in place of those that fit had. The language model reads
            them, and the recommender does where it uses user features.

        Returns
        -------
        Recommendations
            Unpacks as ``items, scores``, two (n_users, k) arrays.

        Raises
        ------
        ValueError
            As the recommender does, for example if it cannot read a request and ``request_weight`` > 0; or if the
            numbers of requests and users differ.
        TypeError
            As the recommender does, or if a request is not a string.

        Warns
        -----
        LanguageModelWarning
            If no answer was usable for any query.
        TruncationWarning
            If a request was truncated.
        """
        check_is_fitted(self)
        self._validate_params()
        self._check_wrapper()
        k = list_length(k, len(self.items_))
        if request_weight is not None:
            check_request_weight(request_weight)
        retrieval: dict[str, Any] = {"request": request, "request_weight": request_weight} if request_weight else {}
        about_users = self._user_rows
        if user_features is not None:
            user_features, given = self._read_given(user_features)
            about_users = about_users.updated(given)
            if self._uses_user_features():
                retrieval["user_features"] = user_features
            elif users is None and history is None:
                users = given.index.values
        base = self._retrieve(
            users,
            list_length(max(k, self.n_candidates), len(self.items_)),
            context=context,
            history=history,
            candidates=candidates,
            exclude_seen=exclude_seen,
            exclude=exclude,
            **retrieval,
        )
        requests = request_texts(request, len(base))
        counts = Counts(n_queries=len(base))
        codes = base.codes.copy()
        if self.blend > 0:
            self._warn_of_long(requests)
            calls = self._calls(counts)
            prompt_contexts = self._prompt_contexts(base.users, context, history, requests, about_users)
            for start in range(0, len(codes), _BLOCK):
                block = slice(start, start + _BLOCK)
                self._rerank(codes[block, : self.n_candidates], prompt_contexts[block], calls)
        return base.with_lists(codes[:, :k], base.scores[:, :k], report=self._report(counts, base.report))

    def _report(self, counts: Counts, of_recommender: dict[str, Any] | None) -> dict[str, Any]:
        """What the language model did, and the report of the recommender if it has one."""
        prompt = self._prompt()
        report = {**counts.as_report(), "prompts": {prompt.name: prompt.as_text()}}
        if of_recommender is not None:
            report["recommender"] = of_recommender
        if counts.n_prompts and not counts.n_reranked:
            warnings.warn(
                f"No answer of the language model was usable, so every list is that of the recommender. Of "
                f"{counts.n_prompts} prompts, {counts.n_failed} failed: {dict(counts.errors.most_common(3))}. "
                f"Answers contained {counts.n_unknown} unknown names. Call the model alone to see its answers.",
                LanguageModelWarning,
                stacklevel=caller_level(),
            )
        return report

    def _calls(self, counts: Counts) -> Calls:
        writer = PromptWriter(self._prompt(), self._prompt_seed(), self.max_chars)
        return Calls(as_chat(self.llm), writer, self.max_tokens, counts)

    def _warn_of_long(self, requests: list[Text]) -> None:
        longest = max((len(text) for text in requests if text), default=0)
        if longest > LONGER * self.max_chars:
            warnings.warn(
                f"A request of {longest} characters was truncated to {LONGER} times max_chars={self.max_chars}; pass a "
                "shorter request or a greater max_chars.",
                TruncationWarning,
                stacklevel=caller_level(),
            )

    def _prompt_contexts(
        self, users: NDArray, context: Any, history: Any, requests: list[Text], about_users: RowTexts
    ) -> list[PromptContext]:
        """The prompt context of each query, without its candidates."""
        contexts = context_texts(context, self._context_names(), len(users))
        histories = self._histories_of(users, history)
        chosen = latest_texts(histories, self._texts_of, self.n_history, with_y=self.feedback == "explicit")
        texts = zip(chosen, about_users.of(users), contexts, requests, strict=True)
        return [PromptContext([], *about) for about in texts]

    def _texts_of(self, codes: NDArray) -> list[Text]:
        return self._item_rows.of(self.items_[codes])

    # Reorder ---------------------------------------------------------------------------------------------

    def _rerank(self, codes: NDArray[np.int32], prompt_contexts: list[PromptContext], calls: Calls) -> None:
        """Reorder the candidates of each row in place."""
        distinct = np.unique(codes[codes >= 0])
        texts = dict(zip(distinct.tolist(), self._texts_of(distinct), strict=True))
        shown = [[place for place, code in enumerate(row) if code >= 0 and texts[code]] for row in codes.tolist()]
        calls.counts.n_without_text += int((codes >= 0).sum()) - sum(map(len, shown))
        rows = [row for row, places in enumerate(shown) if len(places) > 1]
        contexts = [
            replace(prompt_contexts[row], candidates=[texts[codes[row, place]] for place in shown[row]]) for row in rows
        ]
        calls.counts.n_cut += sum(map(calls.writer.n_cut, contexts))
        for row, order in zip(rows, self._orders(contexts, calls), strict=True):
            if order is None:
                continue
            calls.counts.n_reranked += 1
            of_row = codes[row, codes[row] >= 0]
            places = np.arange(len(of_row))
            places[shown[row]] = np.asarray(shown[row])[order]
            codes[row, : len(of_row)] = of_row[self._adjusted(places.tolist(), of_row)]

    def _orders(self, prompt_contexts: list[PromptContext], calls: Calls) -> Orders:
        if self.method == "listwise":
            return listwise(prompt_contexts, calls, window_size=self.window_size, n_shuffles=self.n_shuffles)
        if self.method == "pairwise":
            return pairwise(prompt_contexts, calls, n_shuffles=self.n_shuffles)
        return pointwise(prompt_contexts, calls)

    def _adjusted(self, order: list[int], codes: NDArray[np.int32]) -> list[int]:
        """The order of the model, adjusted by ``popularity_prior``, ``blend`` and ``max_rise``."""
        if self.popularity_prior > 0:
            order = penalize_popularity(order, self.popularity_[codes], self.popularity_prior)
        order = blend_orders(order, self.blend)
        return order if self.max_rise is None else limit_rise(order, self.max_rise)
