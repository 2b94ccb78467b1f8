"""Turns of free text over any recommender."""

from __future__ import annotations

import warnings
from dataclasses import asdict, replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skrec._features import Matrix, align, encode_features, with_rows
from skrec._queries import check_k
from skrec._recommendations import Recommendations
from skrec._wrapper import WrapperRecommender, innermost
from skrec.exceptions import ColdStartWarning, UnparsedLanguageWarning
from skrec.interactions import Features, read_features
from skrec.llm._chat import as_chat
from skrec.llm._conversation_messages import Phrasing
from skrec.llm._conversation_state import ConversationState, Question, Turn, as_state, plain_id
from skrec.llm._conversation_turns import next_wishes
from skrec.llm._critique import Critique
from skrec.llm._critique_llm import LLMCritiqueReader
from skrec.llm._critique_reader import CritiqueReader
from skrec.llm._item_facts import ItemFacts, merge_cells, read_cells
from skrec.llm._lexicon import catalogue_themes, load_lexicon
from skrec.llm._prompts import Prompt, read_prompt
from skrec.llm._questions import best_question, random_question
from skrec.llm._text_space import TextSpace, reads_text
from skrec.llm._wish_ranking import Wishes, ranked, taste_scores

_LONGEST_TEXT = 2000
_MOST_CANDIDATES = 2000


class ConversationalRecommender(WrapperRecommender):
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
        self.item_encoder_: Any = None
        self._matrix: Matrix | None = None
        cells: dict[str, list[Any]] = {}
        if item_features is None:
            warnings.warn(
                "ConversationalRecommender was fitted without item_features: it knows neither titles nor texts, and a "
                "conversation can point at places in the list alone. Pass item_features=....",
                ColdStartWarning,
                stacklevel=4,
            )
        else:
            features, codes, rows = self._read_items(item_features)
            cells = read_cells(features, codes, len(self.items_), rows)
            matrix = self._encode(features, fit=True)
            if matrix is not None:
                self._matrix = align(matrix[rows], codes, len(self.items_))
        self._set_facts(cells)

    def _partial_fit_wrapper(self, X: Any, y: Any, item_features: Any, user_features: Any) -> None:
        n_items = len(self.items_)
        cells = self._facts.cells
        codes = np.zeros(0, np.int64)
        new = None
        if item_features is None:
            cells = merge_cells(cells, {}, codes, n_items)
        else:
            features, codes, rows = self._read_items(item_features)
            cells = merge_cells(cells, read_cells(features, codes, n_items, rows), codes, n_items)
            if self._matrix is not None and (matrix := self._encode(features, fit=False)) is not None:
                new = align(matrix[rows], codes, n_items)
        if self._matrix is not None:
            self._matrix = with_rows(self._matrix, new, codes, n_items)
        self._set_facts(cells)

    def _read_items(self, item_features: Any) -> tuple[Features, NDArray[np.int64], NDArray[np.int64]]:
        """The table, and code and row of each item of it that is in the catalogue."""
        features = read_features(item_features, "item_features")
        codes = self._item_index.codes(features.ids, "item_features ids")
        rows = np.flatnonzero(codes >= 0)
        return features, codes[rows], rows

    def _encode(self, features: Features, *, fit: bool) -> Matrix | None:
        """(n_rows, d) vectors in a space of texts; None where there is no encoder that reads text."""
        if not fit:
            return encode_features(features, self.item_encoder_, "item_features", fit=False)[0]
        inner = getattr(innermost(self.recommender_), "item_encoder_", None)
        if self.item_encoder is not None:
            matrix, encoder = encode_features(features, self.item_encoder, "item_features", fit=True)
            if not reads_text(encoder):
                raise ValueError(
                    f"item_encoder={self.item_encoder!r} does not read a list of texts, which requests are; pass "
                    "LLMTextEmbedder() (from skrec.feature_extraction import LLMTextEmbedder)."
                )
        elif inner is not None:
            if not reads_text(inner):
                return None
            matrix, encoder = encode_features(features, inner, "item_features", fit=False)[0], inner
        else:
            encode_features(features, None, "item_features", fit=True)  # refuses text that nothing encodes
            return None
        self.item_encoder_ = encoder
        return matrix

    def _set_facts(self, cells: dict[str, list[Any]]) -> None:
        self._facts = ItemFacts(cells, self.title_column, self.items_.tolist())
        self._themes = catalogue_themes(self._facts)
        self._space = None if self._matrix is None else TextSpace(self.item_encoder_, self._matrix)

    @property
    def _wishes(self) -> Wishes:
        return Wishes(self._facts, self._themes, self._space)

    def _check_llm(self) -> Prompt | None:
        if self.llm is None:
            return None
        as_chat(self.llm)
        prompt = read_prompt(self.prompt, "critique-v1")
        prompt.write(**dict.fromkeys(("shown", "question", "numbers", "labels", "request"), ""))
        return prompt

    # Recommend -------------------------------------------------------------------------------------------

    def recommend(self, users: Any = None, k: int = 10, **options: Any) -> Recommendations:
        """Rank items for users without a conversation, as the recommender does.

        Parameters
        ----------
        users : array-like of ids, default=None
        k : int, default=10
        **options
            As in the recommender's ``recommend``.

        Returns
        -------
        Recommendations
            Unpacks as ``items, scores``, two (n_users, k) arrays.
        """
        check_is_fitted(self)
        return self.recommender_.recommend(users, k, **options)

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
        after = next_wishes(before, critique, self.items_, self._space)
        options = {"context": context, "history": history, "candidates": candidates, "exclude_seen": exclude_seen}
        codes, scores, question = self._rank(after, k, options, report)
        shown = codes[:k]
        after = replace(
            after,
            shown=tuple(plain_id(self.items_[code]) for code in shown),
            asked=after.asked if question is None else (*after.asked, question),
            pending=question,
            n_turns=before.n_turns + 1,
        )
        message, asked = self._message(text, before, after, critique, shown, report)
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
        dimension = 0 if self._space is None else self._space.dimension
        if len(state.request) not in (0, dimension):
            raise ValueError(
                f"The request vector of the state has {len(state.request)} numbers and the space of texts here "
                f"{dimension}: it comes from another model. Begin a new conversation with state=None."
            )
        return replace(state, user=state.user if user is None else user)

    def _codes(self, ids: tuple[Any, ...]) -> list[int]:
        """Codes of the ids that are known; others, as of items no longer sold, are passed over."""
        if not ids:
            return []
        column = np.empty(len(ids), dtype=object)
        column[:] = ids
        codes = self._item_index.codes(column, "ids of the state", check_kind=False)
        return [int(code) for code in codes if code >= 0]

    def _read(self, text: str, state: ConversationState, prompt: Prompt | None, report: dict[str, Any]) -> Critique:
        shown = self._codes(state.shown)
        parsed = CritiqueReader(self._facts, shown, state.pending).read(text, state.language)
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
            asked = Phrasing(load_lexicon(state.language), self._facts).question(state.pending)
        reader = LLMCritiqueReader(
            as_chat(self.llm), prompt, self._facts, shown, state.pending, asked, self.random_state, self.max_tokens
        )
        critique, result, n_unknown = reader.read(text, language)
        report.update(prompt=prompt.name, usage=asdict(result.usage), error=result.error, n_unknown=n_unknown)
        if critique is not None:
            report.update(read_by="llm")
        return critique

    def _rank(
        self, state: ConversationState, k: int, options: dict[str, Any], report: dict[str, Any]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], Question | None]:
        """Codes and scores of what may be shown, best first, and the next question."""
        wishes = self._wishes
        taste, eligible = taste_scores(self._taste_order(state, options), len(self.items_))
        gone = [*state.liked, *state.disliked, *state.known, *state.rejected]
        eligible[self._codes(tuple(gone))] = False
        scores = wishes.scores(taste, np.asarray(state.request), state.constraints, self.request_weight)
        violations = wishes.violations(state.constraints)
        codes, final, n_fulfilling = ranked(scores, violations, eligible, max(k, _MOST_CANDIDATES))
        broken = []
        if not n_fulfilling and len(codes):
            # What the best one keeps to, all that are shown keep to.
            for one in (constraint for constraint in state.constraints if constraint.strict):
                if (held := wishes.fulfils(one))[codes[0]]:
                    final, codes = final[held[codes]], codes[held[codes]]
                else:
                    broken.append(one)
        report.update(
            n_fulfilling=n_fulfilling, relaxed=broken, n_unknown_ids=len(gone) - len(self._codes(tuple(gone)))
        )
        return codes, final, self._next_question(wishes, state, codes[k:], final[k:])

    def _next_question(
        self, wishes: Wishes, state: ConversationState, codes: NDArray[np.int64], scores: NDArray
    ) -> Question | None:
        """About the items behind those shown: if one of these is right, no answer is needed."""
        if self.question == "best":
            return best_question(wishes, codes, scores, state.asked)
        if self.question == "random":
            return random_question(wishes, codes, scores, state.asked, self.random_state + state.n_turns)
        return None

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
        users = self.users_.tolist()
        if users and all(isinstance(one, int | float) for one in users):
            taken = set(users)
            return next(number for number in range(len(taken) + 1) if number not in taken)
        name = "someone new"
        while name in set(users):
            name += "."
        return name

    def _recommendations(self, codes: NDArray, scores: NDArray, k: int, user: Any) -> Recommendations:
        row, row_scores = np.full((1, k), -1, np.int32), np.full((1, k), -np.inf, np.float32)
        row[0, : len(codes)], row_scores[0, : len(codes)] = codes, scores
        users = np.empty(1, dtype=object)
        users[0] = user
        return Recommendations(row, row_scores, users, self._item_index, backend=self._frame_backend)

    def _message(
        self,
        text: str,
        before: ConversationState,
        after: ConversationState,
        critique: Critique,
        shown: NDArray,
        report: dict[str, Any],
    ) -> tuple[str, str | None]:
        """What is said, and the question in it."""
        phrasing = Phrasing(load_lexicon(after.language), self._facts)
        heard = phrasing.heard(critique)
        if heard is None and not critique.notes:
            greeting = "nothing_said" if before.n_turns or text.strip() else "hello"
            heard = phrasing.say("popular" if critique.answer else greeting)
        lines = [*([heard] if heard else []), *phrasing.notes(critique)]
        if report["relaxed"]:
            things = "; ".join(dict.fromkeys(phrasing.constraint(one) for one in report["relaxed"]))
            lines.append(phrasing.say("relaxed", things=things))
        elif not len(shown):
            lines.append(phrasing.say("exhausted"))
        elif report["n_fulfilling"] < len(self.items_) and len(shown) == report["n_fulfilling"]:
            lines.append(phrasing.say("only_some", count=len(shown)))
        asked = None if after.pending is None else phrasing.question(after.pending)
        return "\n".join([*lines, phrasing.listed(shown.tolist()), *([asked] if asked else [])]), asked
