"""The contract as a suite, for this library's recommenders and for those of others.

>>> from skrec.dummy import PopularRecommender
>>> from skrec.testing import check_recommender
>>> check_recommender(PopularRecommender())
"""

from collections.abc import Callable, Iterator
from typing import Any

from sklearn.base import clone

from skrec.testing._checks import CHECKS

__all__ = ["all_estimators", "check_recommender", "recommender_checks"]


def all_estimators() -> Iterator[Any]:
    """One instance, ready for the estimator checks, of every public estimator and transformer.

    Yields
    ------
    estimator : estimator
        Small and quick to fit; text transformers come with a tiny deterministic encoder.
    """
    from skrec.decomposition import BPRRecommender, HybridMFRecommender, LogisticMFRecommender
    from skrec.dummy import PopularRecommender, RandomRecommender
    from skrec.feature_extraction import (
        ContextEncoder,
        HashingTextEncoder,
        ItemTextEnricher,
        KeywordExtractor,
        LLMTextEmbedder,
        UserProfileText,
    )
    from skrec.linear_model import EASERecommender
    from skrec.llm import ConversationalRecommender, HeuristicChat, LLMExplainer, LLMReranker, QuerySuggester
    from skrec.model_selection import TunedRecommender
    from skrec.neighbors import EmbeddingKNNRecommender, ItemKNNRecommender, UserKNNRecommender

    yield PopularRecommender()
    yield RandomRecommender(random_state=0)
    yield EmbeddingKNNRecommender()
    yield ItemKNNRecommender()
    yield UserKNNRecommender()
    yield EASERecommender()
    yield HybridMFRecommender(n_factors=4, max_iter=3, random_state=0)
    for solver in ("bpr", "warp", "softmax"):
        yield HybridMFRecommender(n_factors=4, solver=solver, max_iter=5, random_state=0)
    yield BPRRecommender(n_factors=4, max_iter=20, random_state=0)
    yield LogisticMFRecommender(n_factors=4, random_state=0)
    yield TunedRecommender(PopularRecommender(), {"recency_decay": [0.5]}, n_iter=2)
    yield LLMReranker(PopularRecommender(), in_given_order)
    yield ConversationalRecommender(PopularRecommender(), item_encoder=LLMTextEmbedder(model=HashingTextEncoder()))
    yield LLMExplainer(PopularRecommender(), HeuristicChat())
    yield QuerySuggester(PopularRecommender(), KeywordExtractor(LLMTextEmbedder(model=HashingTextEncoder())))
    yield LLMTextEmbedder(model=HashingTextEncoder())
    yield ItemTextEnricher(HeuristicChat(), text_encoder=LLMTextEmbedder(model=HashingTextEncoder()))
    yield ContextEncoder(random_state=0)
    yield KeywordExtractor(LLMTextEmbedder(model=HashingTextEncoder()))
    yield UserProfileText(text_encoder=LLMTextEmbedder(model=HashingTextEncoder()))
    yield UserProfileText(llm=HeuristicChat(), text_encoder=LLMTextEmbedder(model=HashingTextEncoder()))


def in_given_order(messages: list[dict[str, str]]) -> dict[str, list[str]]:
    """A stand-in for a language model that reranks: it names the candidates in the order in which they stand.

    Parameters
    ----------
    messages : list of dict
        A prompt of :class:`~skrec.llm.LLMReranker`.

    Returns
    -------
    dict
        The answer, as JSON.
    """
    from skrec._chat import read_blocks

    return {"order": read_blocks(messages[-1]["content"])[-1].tokens}


def check_recommender(estimator: Any) -> None:
    """Run every check of the recommender contract on clones of an estimator.

    Parameters
    ----------
    estimator : recommender
        Not fitted; quick to fit on a few hundred events.

    Raises
    ------
    AssertionError
        Naming the check that failed.
    """
    for check in recommender_checks():
        try:
            check(clone(estimator))
        except Exception as error:
            raise AssertionError(f"{type(estimator).__name__} fails {check.__name__}: {error}") from error


def recommender_checks() -> list[Callable[[Any], None]]:
    """The single checks, each a function of an unfitted recommender; for ``pytest.mark.parametrize``."""
    return list(CHECKS)
