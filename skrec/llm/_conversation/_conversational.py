"""Turns of free text over any recommender."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skrec._chat import Prompt, as_chat, read_prompt
from skrec.base import MetaRecommender
from skrec.exceptions import ColdStartWarning, UnparsedLanguageWarning
from skrec.interactions import Recommendations, check_k, column_kind
from skrec.llm._conversation._constraint_ranking import ranked, taste_scores
from skrec.llm._conversation._critique import Critique
from skrec.llm._conversation._critique_llm import LLMCritiqueReader
from skrec.llm._conversation._critique_parser import CritiqueReader
from skrec.llm._conversation._item_knowledge import ItemKnowledge, codes_of
from skrec.llm._conversation._lexicon import load_lexicon
from skrec.llm._conversation._phrasing import Phrasing
from skrec.llm._conversation._questions import best_question, random_question
from skrec.llm._conversation._state import Constraint, ConversationState, Question, Turn, as_state, plain_id
from skrec.llm._conversation._state_update import next_wishes
from skrec.utils import unwrap_recommender

_LONGEST_TEXT = 2000
_MOST_CANDIDATES = 2000


class ConversationalRecommender(MetaRecommender):
    """Recommend in turns of free text: "something shorter, nothing violent, like the second one".

    Each turn is read into likes and dislikes, limits and exclusions, and texts that a request vector moves towards
    or away from (Rocchio). Items are ranked by that vector, by what is rather wanted, and by the taste of the user
    as the recommender has it; what breaks a limit is left out. Then the question is asked whose answer is expected
    to tell most of what is looked for.

    Without a language model, texts in English, German, French and Spanish are read by phrases from data files:
    negation, "more like" and "less like" an item, places in the last list, titles, comparisons ("shorter", "older
    than Emma"), limits ("under 300 pages", "the 19th century"), labels of the items, common themes. A text in
    another language counts whole, by its meaning, with a warning. With a language model, it reads the text into the
    same structure; where it fails, the phrases do.

    Parameters
    ----------
    recommender : recommender, Pipeline or FrozenEstimator
        A clone of it is fitted. Its ranking is the taste of a user, with what they like in the conversation as
        further history.
    llm : chat client or callable, default=None
        A client of :mod:`skrec.llm`, or a function from messages to text, that reads what the user says. It ranks
        nothing and writes no message. Clones share it.
    item_encoder : transformer, default=None
        From texts to vectors, fitted on ``item_features``: :class:`~skrec.feature_extraction.LLMTextEmbedder`. None
        takes the ``item_encoder_`` of the recommender where that reads text.
    title_column : str, default=None
        Column of ``item_features`` with what items are called; None looks for "title", "name" and the like.
    request_weight : float in [0, 1], default=0.7
        Weight of the request against the taste of the user; before the first wish, taste alone counts.
    question : {"best", "random"} or None, default="best"
        What is asked after each list: what tells most, anything that tells something (to compare with), or nothing.
    prompt : str, default=None
        Another prompt for the language model: a system message, a line ``---``, and a template with ``{shown}``,
        ``{question}``, ``{numbers}``, ``{labels}`` and ``{request}``. None is ``critique-v1.txt``.
    max_tokens : int, default=700
        Most tokens of an answer of the language model.
    random_state : int, default=0
        Seed of ``question="random"``, of tokens in prompts, and of the language model.

    Attributes
    ----------
    recommender_ : recommender
        The fitted recommender.
    item_encoder_ : transformer or None
        The encoder that is used.

    Notes
    -----
    Columns of ``item_features`` that hold numbers serve comparisons and limits; those of short labels, split at
    commas, serve exclusions, wishes and questions; all text serves exclusions by word. An exclusion also leaves out
    items whose text lies near in meaning: two standard deviations above the mean similarity.

    What the texts of users and items can do is to change the ranking. No id enters a prompt, and what comes from
    others enters it as data only. A client for a remote model takes personal data out before it sends a text.

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
    [[20, 10, None, None, None]]
    >>> rec.reply("shorter than the first one", turn.state, k=1).recommendations.items
    array([[10]])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "item_encoder": [HasMethods(["fit_transform", "transform"]), None],
        "title_column": [str, None],
        "request_weight": [Interval(Real, 0, 1, closed="both")],
        "question": [StrOptions({"best", "random"}), None],
        "prompt": [str, None],
        "max_tokens": [Interval(Integral, 1, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        recommender: Any,
        llm: Any = None,
        *,
        item_encoder: Any = None,
        title_column: str | None = None,
        request_weight: float = 0.7,
        question: str | None = "best",
        prompt: str | None = None,
        max_tokens: int = 700,
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
        self.random_state = random_state

    # Fit -------------------------------------------------------------------------------------------------

    def _check_wrapper(self) -> None:
        self._check_llm()

    def _fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        if item_features is None:
            warnings.warn(
                "ConversationalRecommender was fitted without item_features: it knows neither titles nor texts, and a "
                "conversation can point at places in the list alone. Pass item_features=....",
                ColdStartWarning,
                stacklevel=4,
            )
        inner = getattr(unwrap_recommender(self.recommender_), "item_encoder_", None)
        self._items = ItemKnowledge.read(item_features, self._item_index, self.title_column, self.item_encoder, inner)
        self.item_encoder_ = self._items.encoder

    def _after_partial_fit(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        self._items = self._items.updated(item_features, self._item_index)

    def _check_llm(self) -> Prompt | None:
        if self.llm is None:
            return None
        as_chat(self.llm)
        prompt = read_prompt(self.prompt, "critique-v1")
        prompt.write(**dict.fromkeys(("shown", "question", "numbers", "labels", "request"), ""))
        return prompt

    def reply(
        self,
        text: str,
        state: ConversationState | dict | str | None = None,
        *,
        user: Any = None,
        k: int = 5,
        context: Any = None,
        history: Any = None,
        candidates: Any = None,
        exclude_seen: bool = True,
    ) -> Turn:
        """Answer one text of a user.

        The same arguments give the same turn, and nothing in the estimator changes; what a language model
        answers, and its client counts, is its own.

        Parameters
        ----------
        text : str
            At most 2,000 characters are read.
        state : ConversationState, dict, str or None, default=None
            The state of the last turn, as it is or as JSON; None begins a conversation.
        user : id, default=None
            Whose taste counts; a later turn need not say it again. None, or an unknown id, is someone new.
        k : int, default=5
            Items to show.
        context, history, candidates, exclude_seen
            As in ``recommend``, for one user. Where ``history`` is None, what was liked in the conversation counts
            as history.

        Returns
        -------
        Turn
            Its ``recommendations`` hold one row. Items that are liked, disliked, known or rejected do not come back.

        Raises
        ------
        TypeError
            If ``text`` is no text.
        ValueError
            If ``state`` is malformed, of a newer version (:class:`~skrec.exceptions.FormatVersionError`), of
            another user, or of another space of texts.

        Warns
        -----
        UnparsedLanguageWarning
            If the text is in a language without phrases, and no language model reads it.
        """
        check_is_fitted(self)
        self._validate_params()
        prompt = self._check_llm()
        if not isinstance(text, str):
            raise TypeError(f"text must be a string; got {text!r:.80} of type {type(text).__name__}.")
        k = check_k(k)
        before = self._begin(state, user)
        report: dict[str, Any] = {"truncated": len(text) > _LONGEST_TEXT}
        critique = self._read(text[:_LONGEST_TEXT], before, prompt, report)
        if report["truncated"]:
            critique.notes.append(("truncated", {"count": _LONGEST_TEXT}))
        after = next_wishes(before, critique, self.items_, self._items.space)
        options = {"context": context, "history": history, "candidates": candidates, "exclude_seen": exclude_seen}
        codes, scores, broken = self._rank(after, options, k)
        shown = codes[:k]
        # If one of those shown is right, no answer is needed: the question is about the others.
        question = self._next_question(after, codes[k:], scores[k:])
        n_fulfilling = 0 if broken else len(codes)
        report.update(n_fulfilling=n_fulfilling, n_relaxed=len(broken), n_unknown_ids=self._n_unknown(after))
        after = replace(
            after,
            shown=tuple(plain_id(self.items_[code]) for code in shown),
            asked=after.asked if question is None else (*after.asked, question),
            pending=question,
            n_turns=before.n_turns + 1,
        )
        phrasing = Phrasing(load_lexicon(after.language), self._items.facts)
        is_first = not (before.n_turns or text.strip())
        message, asked = phrasing.message(critique, after, shown.tolist(), broken, n_fulfilling, is_first=is_first)
        return Turn(message, self._recommendations(shown, scores[:k], k, after.user), after, asked, report)

    # Steps of a turn -------------------------------------------------------------------------------------

    def _begin(self, state: Any, user: Any) -> ConversationState:
        state = as_state(state)
        user = None if user is None else plain_id(user)
        if user is not None and state.user is not None and user != state.user:
            raise ValueError(
                f"The state is of user {state.user!r} and user={user!r} was given; begin a new conversation with "
                "state=None."
            )
        dimension = 0 if self._items.space is None else self._items.space.dimension
        if len(state.request) not in (0, dimension):
            raise ValueError(
                f"The request vector of the state has {len(state.request)} numbers and the space of texts here "
                f"{dimension}: it comes from another model. Begin a new conversation with state=None."
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
                "The text is in none of the languages that are parsed (en, de, fr, es), so that it counts whole, by "
                "its meaning; negations in it do not. Pass llm=... to have such texts read.",
                UnparsedLanguageWarning,
                stacklevel=3,
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
        self, state: ConversationState, options: dict[str, Any], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], list[Constraint]]:
        """Codes and scores of what may be shown, best first, and the constraints that these do not fulfil."""
        wishes = self._items.wishes
        taste, eligible = taste_scores(self._taste_order(state, options), len(self.items_))
        eligible[self._codes(_gone(state))] = False
        scores = wishes.scores(taste, np.asarray(state.request), state.constraints, self.request_weight)
        codes, final, n_fulfilling = ranked(scores, wishes.violations(state.constraints), eligible)
        broken = []
        if not n_fulfilling and len(codes):
            # What the best one keeps to, all that are shown keep to.
            for one in (constraint for constraint in state.constraints if constraint.strict):
                if (held := wishes.fulfils(one))[codes[0]]:
                    final, codes = final[held[codes]], codes[held[codes]]
                else:
                    broken.append(one)
        return codes, final, broken

    def _n_unknown(self, state: ConversationState) -> int:
        return len(_gone(state)) - len(self._codes(_gone(state)))

    def _next_question(self, state: ConversationState, codes: NDArray[np.int64], scores: NDArray) -> Question | None:
        if self.question is None:
            return None
        codes, scores, wishes = codes[:_MOST_CANDIDATES], scores[:_MOST_CANDIDATES], self._items.wishes
        if self.question == "best":
            return best_question(wishes, codes, scores, state.asked)
        return random_question(wishes, codes, scores, state.asked, self.random_state + state.n_turns)

    def _taste_order(self, state: ConversationState, options: dict[str, Any]) -> NDArray[np.int64]:
        """The catalogue in the order of the recommender, as codes."""
        user = self._stranger() if state.user is None else state.user
        liked = [item for item in state.liked if self._codes((item,))]
        if options["history"] is None and liked:
            pairs = np.empty((len(liked), 2), dtype=object)
            pairs[:, 0], pairs[:, 1] = [user] * len(liked), liked
            options = {**options, "history": pairs}
        return self.recommender_.recommend([user], len(self.items_), **options).codes[0]

    def _stranger(self) -> Any:
        """An id of the kind of the known ones that nobody has."""
        users = self.users_
        if column_kind(users) == "number":
            top = users.max()
            return plain_id(top + 1 if top < np.iinfo(np.int32).max else users.min() - 1)
        name = "someone new"
        while name in users.tolist():
            name += "."
        return name

    def _recommendations(self, codes: NDArray, scores: NDArray, k: int, user: Any) -> Recommendations:
        row, row_scores = np.full((1, k), -1, np.int32), np.full((1, k), -np.inf, np.float32)
        row[0, : len(codes)], row_scores[0, : len(codes)] = codes, scores
        users = np.empty(1, dtype=object)
        users[0] = user
        return Recommendations(row, row_scores, users, self._item_index, backend=self._frame_backend)


def _gone(state: ConversationState) -> list[Any]:
    """Ids of items that do not come back."""
    return [*state.liked, *state.disliked, *state.known, *state.rejected]
