"""A conversation in free text over any recommender."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import asdict, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skrec._chat import LanguageModel, Prompt, as_chat, read_prompt
from skrec.base import MetaRecommender
from skrec.exceptions import ColdStartWarning, UnparsedLanguageWarning
from skrec.interactions import CandidateIds, History, Recommendations, Table, list_length, unknown_ids
from skrec.llm._conversation._constraint_ranking import one_list, ranked, taste_scores
from skrec.llm._conversation._critique import Critique
from skrec.llm._conversation._critique_llm import LLMCritiqueReader
from skrec.llm._conversation._critique_parser import CritiqueReader
from skrec.llm._conversation._item_knowledge import ItemKnowledge, check_knowledge, codes_of
from skrec.llm._conversation._lexicon import LANGUAGES, load_lexicon
from skrec.llm._conversation._phrasing import Phrasing
from skrec.llm._conversation._questions import best_question, random_question
from skrec.llm._conversation._state import Constraint, ConversationState, Question, Turn, as_state, plain_id
from skrec.llm._conversation._state_update import next_state
from skrec.utils import Recommender, Tokenizer, Transformer, caller_level, on_snapshot, unwrap_recommender

_LONGEST_TEXT = 2000
_MOST_CANDIDATES = 2000


class ConversationalRecommender(MetaRecommender):
    """Recommend in turns of free text: "something shorter, nothing violent, like the second one".

    Each turn is parsed into liked and disliked items, constraints, and texts that move a request vector towards
    them or away from them (Rocchio). Items are ranked by the request vector, by soft constraints, and by the
    ranking of the recommender for the user. Items that violate a strict constraint are excluded. The reply ends
    with the question that has the greatest expected information about the item that the user looks for.

    Without a language model, texts in English, German, French, Spanish and Chinese are parsed by phrases: negation,
    "more like" and "less like" an item, positions in the last list, titles, comparisons ("shorter", "older than
    Emma"), limits ("under 300 pages", "the 19th century"), labels of the items and common themes. A text in another
    language is embedded as a whole, with a warning. A language model, where given, parses the text into the same
    structure; if it fails, the phrases are used.

    Parameters
    ----------
    recommender : recommender, Pipeline or FrozenEstimator
        A clone of it is fitted. It ranks by taste; items liked in the conversation count as further history.
    llm : chat client or callable, default=None
        A client of :mod:`skrec.llm`, or a function from messages to text. It parses what the user writes, no more.
        Clones share it.
    item_encoder : transformer, "auto" or None, default=None
        Turns texts into vectors, such as :class:`~skrec.feature_extraction.LLMTextEmbedder`. It is fitted on
        ``item_features``. None takes the ``item_encoder_`` of the recommender where that reads text.
    title_column : str, default=None
        Column of ``item_features`` with the names of items. None looks for "title", "name" and similar columns.
    request_weight : float in [0, 1], default=0.7
        Weight of the request vector against the taste of the user. Without a request, only taste counts.
    question : {"best", "random"} or None, default="best"
        The question after each list: the most informative one, a random one (a baseline), or none.
    prompt : str, default=None
        A prompt that replaces the default one: a system message, a line ``---``, and a template with ``{shown}``,
        ``{question}``, ``{numbers}``, ``{labels}`` and ``{request}``. None is ``critique-v1.txt``.
    max_tokens : int, default=700
        Maximum number of tokens of an answer of the language model.
    tokenizer : callable, default=None
        From a text of an item to its words; None as in :class:`~skrec.feature_extraction.KeywordExtractor`.
    random_state : int, default=0
        Seed of ``question="random"``, of the tokens in prompts, and of the language model.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.
    item_encoder_ : transformer or None
        The encoder in use.

    Notes
    -----
    Numeric columns of ``item_features`` are used for comparisons and limits. Columns of short labels, split at
    commas, are used for constraints and questions. All text is searched for excluded words. An exclusion also
    applies to items with a similar text: two standard deviations above the mean similarity.

    Texts of users and items can change the ranking, and nothing else. Prompts contain no ids, and texts of others
    enter them as data only. A client for a remote model removes personal data before it sends a text.

    References
    ----------
    J. Rocchio, "Relevance feedback in information retrieval", in The SMART Retrieval System, 1971. L. Chen and
    P. Pu, "Critiquing-based recommenders: survey and emerging trends", UMUAI 2012. K. Christakopoulou et al.,
    "Towards Conversational Recommender Systems", KDD 2016, for questions by expected information.

    Examples
    --------
    >>> import pandas as pd
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
    >>> from skrec.llm import ConversationalRecommender
    >>> X = pd.DataFrame({"user": [1, 1, 2, 2], "item": [10, 20, 20, 30]})
    >>> books = pd.DataFrame({"item": [10, 20, 30], "title": ["Emma", "Moby-Dick", "Dracula"], "pages": [430, 620, 400],
    ...                       "genre": ["novel, romance", "novel, sea story", "novel, horror"]})
    >>> encoder = LLMTextEmbedder(HashingTextEncoder())
    >>> rec = ConversationalRecommender(PopularRecommender(), item_encoder=encoder).fit(X, item_features=books)
    >>> turn = rec.reply("nothing with horror")
    >>> turn.recommendations.items.tolist()
    [[20, 10, None]]
    >>> rec.reply("shorter than the first one", turn.state, k=1).recommendations.items
    array([[10]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "item_encoder": [HasMethods(["fit_transform", "transform"]), StrOptions({"auto"}), None],
        "title_column": [str, None],
        "request_weight": [Interval(Real, 0, 1, closed="both")],
        "question": [StrOptions({"best", "random"}), None],
        "prompt": [str, None],
        "max_tokens": [Interval(Integral, 1, None, closed="left")],
        "tokenizer": [callable, None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        recommender: Recommender,
        llm: LanguageModel | None = None,
        *,
        item_encoder: Transformer | None = None,
        title_column: str | None = None,
        request_weight: float = 0.7,
        question: Literal["best", "random"] | None = "best",
        prompt: str | None = None,
        max_tokens: int = 700,
        tokenizer: Tokenizer | None = None,
        random_state: int = 0,
    ) -> None:
        self.recommender = recommender
        self.llm = llm
        self.item_encoder = item_encoder
        self.title_column = title_column
        self.request_weight = request_weight
        self.question = question
        self.prompt = prompt
        self.max_tokens = max_tokens
        self.tokenizer = tokenizer
        self.random_state = random_state

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        from skrec.dummy import PopularRecommender
        from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder

        return [cls(PopularRecommender(), item_encoder=LLMTextEmbedder(model=HashingTextEncoder()))]

    # Fit -------------------------------------------------------------------------------------------------

    def _check_wrapper(self) -> None:
        self._check_llm()

    def _fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        if item_features is None:
            warnings.warn(
                "ConversationalRecommender was fitted without item_features: it has neither titles nor texts, and a "
                "conversation can only refer to positions in the list. Pass item_features=....",
                ColdStartWarning,
                stacklevel=caller_level(),
            )
        inner = getattr(unwrap_recommender(self.recommender_), "item_encoder_", None)
        options = (self.title_column, self.item_encoder, inner, self.tokenizer)
        self._items = ItemKnowledge.read(item_features, self._item_index, *options)
        self.item_encoder_ = self._items.encoder

    def _check_state(self) -> None:
        super()._check_state()
        if "_items" in self.__dict__:
            check_knowledge(self._items, "_items", len(self.items_))

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        self._items = self._items.updated(item_features, self._item_index)

    def _check_llm(self) -> Prompt | None:
        if self.llm is None:
            return None
        as_chat(self.llm)
        prompt = read_prompt(self.prompt, "critique-v1")
        prompt.write(**dict.fromkeys(("shown", "question", "numbers", "labels", "request"), ""))
        return prompt

    @on_snapshot
    def reply(
        self,
        text: str,
        state: ConversationState | dict[str, Any] | str | None = None,
        *,
        user: Hashable = None,
        k: int = 5,
        context: Table | None = None,
        history: History | None = None,
        candidates: CandidateIds | None = None,
        exclude_seen: bool = True,
    ) -> Turn:
        """Answer one text of a user.

        The method does not change the estimator. Without a language model, the same arguments give the same
        turn.

        Parameters
        ----------
        text : str
            Longer texts are truncated after 2,000 characters.
        state : ConversationState, dict, str or None, default=None
            State of the last turn, as an object or as JSON; None begins a conversation.
        user : id, default=None
            The user whose taste counts. Later turns take it from the state. None, or an unknown id, is a new user.
        k : int, default=5
            Number of items in the list.
        context, history, candidates, exclude_seen
            As in ``recommend``, for one user. Where ``history`` is None, the items liked in the conversation are
            the history.

        Returns
        -------
        Turn
            Its ``recommendations`` have one row. Liked, disliked, known and rejected items are excluded.

        Raises
        ------
        TypeError
            If ``text`` is not a string.
        ValueError
            If ``state`` is malformed, was written by a newer version
            (:class:`~skrec.exceptions.FormatVersionError`), is of another user, or has a request vector of
            another length.

        Warns
        -----
        UnparsedLanguageWarning
            If the text is in a language that is not parsed, and no language model parses it.
        """
        check_is_fitted(self)
        self._validate_params()
        prompt = self._check_llm()
        if not isinstance(text, str):
            raise TypeError(f"text must be a string; got {text!r:.80} of type {type(text).__name__}.")
        k = list_length(k, len(self.items_))
        before = self._begin(state, user)
        report: dict[str, Any] = {"truncated": len(text) > _LONGEST_TEXT}
        critique = self._read(text[:_LONGEST_TEXT], before, prompt, report)
        if report["truncated"]:
            critique.notes.append(("truncated", {"count": _LONGEST_TEXT}))
        after = next_state(before, critique, self.items_, self._items.space)
        options = {"context": context, "history": history, "candidates": candidates, "exclude_seen": exclude_seen}
        taste = self._taste_order(after, options)
        is_first = not (before.n_turns or text.strip())
        return self._turn(critique, after, taste, k, report, is_first)

    # Steps of a turn -------------------------------------------------------------------------------------

    def _turn(
        self,
        critique: Critique,
        state: ConversationState,
        taste: Recommendations,
        k: int,
        report: dict[str, Any],
        is_first: bool,
    ) -> Turn:
        """Rank, choose a question and write the message; completes the report."""
        codes, scores, violated = self._rank(state, taste.codes[0])
        shown = codes[:k]
        # If a shown item is the right one, no answer is needed: the question is about the others.
        question = self._next_question(state, codes[k:], scores[k:])
        n_matching = 0 if violated else len(codes)
        report.update(n_matching=n_matching, n_relaxed=len(violated), n_unknown_ids=self._n_unknown(state))
        after = replace(
            state,
            shown=tuple(plain_id(self.items_[code]) for code in shown),
            asked=state.asked if question is None else (*state.asked, question),
            pending=question,
            n_turns=state.n_turns + 1,
        )
        phrasing = Phrasing(load_lexicon(after.language), self._items.facts)
        message, asked = phrasing.message(critique, after, shown.tolist(), violated, n_matching, is_first=is_first)
        return Turn(message, one_list(taste, shown, scores[:k], k, after.user), after, asked, report)

    def _begin(self, state: Any, user: Any) -> ConversationState:
        state = as_state(state)
        user = None if user is None else plain_id(user)
        if user is not None and state.user is not None and user != state.user:
            raise ValueError(
                f"The state is of user {state.user!r} and user={user!r} was given; begin a new conversation with "
                "state=None."
            )
        dimension = 0 if self._items.space is None else self._items.space.dimension
        if len(state.request_vector) not in (0, dimension):
            raise ValueError(
                f"The request vector of the state has {len(state.request_vector)} numbers, and text vectors of this "
                f"model have {dimension}: the state comes from another model. Begin a new conversation with state=None."
            )
        return replace(state, user=state.user if user is None else user)

    def _codes(self, ids: Sequence[Any]) -> list[int]:
        return codes_of(self._item_index, ids)

    def _read(self, text: str, state: ConversationState, prompt: Prompt | None, report: dict[str, Any]) -> Critique:
        shown = self._codes(state.shown)
        parsed = CritiqueReader(self._items.facts, shown, state.pending).read(text, state.language)
        report.update(language=parsed.language, read_by="parser", other_language=parsed.language is None)
        if prompt is not None and text.strip():
            read = self._read_by_llm(text, state, shown, prompt, parsed.language, report)
            if read is not None:
                return read
            parsed.notes.append(("llm_failed", {}))
        if parsed.language is None:
            parsed.notes.append(("other_language", {}))
            warnings.warn(
                f"The text is in none of the parsed languages ({', '.join(LANGUAGES)}). It was embedded as a whole: "
                "negations in it have no effect. Pass llm=... to parse such texts.",
                UnparsedLanguageWarning,
                stacklevel=caller_level(),
            )
        return parsed

    def _read_by_llm(
        self,
        text: str,
        state: ConversationState,
        shown: list[int],
        prompt: Prompt,
        language: str | None,
        report: dict[str, Any],
    ) -> Critique | None:
        asked = None
        if state.pending is not None:
            asked = Phrasing(load_lexicon(state.language), self._items.facts).question(state.pending)
        reader = LLMCritiqueReader(
            as_chat(self.llm),
            prompt,
            self._items.facts,
            shown,
            state.pending,
            asked,
            self.random_state,
            self.max_tokens,
        )
        critique, result, n_unknown = reader.read(text, language)
        report.update(prompt=prompt.name, usage=asdict(result.usage), error=result.error, n_unknown=n_unknown)
        if critique is not None:
            report.update(read_by="llm")
        return critique

    def _rank(
        self, state: ConversationState, order: NDArray[np.int32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], list[Constraint]]:
        """Codes and scores of the items to show, best first, and the constraints that they violate."""
        ranking = self._items.ranking
        taste, eligible = taste_scores(order, len(self.items_))
        eligible[self._codes(_excluded_items(state))] = False
        scores = ranking.scores(taste, np.asarray(state.request_vector), state.constraints, self.request_weight)
        codes, final, n_matching = ranked(scores, ranking.violations(state.constraints), eligible)
        violated = []
        if not n_matching and len(codes):
            # All shown items satisfy what the best one satisfies.
            for one in (constraint for constraint in state.constraints if constraint.strict):
                if (satisfied := ranking.satisfies(one))[codes[0]]:
                    final, codes = final[satisfied[codes]], codes[satisfied[codes]]
                else:
                    violated.append(one)
        return codes, final, violated

    def _n_unknown(self, state: ConversationState) -> int:
        return len(_excluded_items(state)) - len(self._codes(_excluded_items(state)))

    def _next_question(self, state: ConversationState, codes: NDArray[np.int64], scores: NDArray) -> Question | None:
        if self.question is None:
            return None
        codes, scores, ranking = codes[:_MOST_CANDIDATES], scores[:_MOST_CANDIDATES], self._items.ranking
        if self.question == "best":
            return best_question(ranking, codes, scores, state.asked)
        return random_question(ranking, codes, scores, state.asked, self.random_state + state.n_turns)

    def _taste_order(self, state: ConversationState, options: dict[str, Any]) -> Recommendations:
        """The catalogue in the order of the recommender."""
        user = plain_id(unknown_ids(self.users_, 1)[0]) if state.user is None else state.user
        liked = [item for item in state.liked if self._codes((item,))]
        if options["history"] is None and liked:
            pairs = np.empty((len(liked), 2), dtype=object)
            pairs[:, 0], pairs[:, 1] = [user] * len(liked), liked
            options = {**options, "history": pairs}
        return self._retrieve([user], len(self.items_), **options)


def _excluded_items(state: ConversationState) -> list[Any]:
    """Ids of the items that are not shown again."""
    return [*state.liked, *state.disliked, *state.known, *state.rejected]
