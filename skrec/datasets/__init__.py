"""Data to learn, test and measure on."""

from skrec.datasets._amazon import fetch_amazon_reviews
from skrec.datasets._bookshop import load_bookshop
from skrec.datasets._context_choices import make_context_choices
from skrec.datasets._home import clear_data_home, get_data_home
from skrec.datasets._movielens import fetch_movielens
from skrec.datasets._social import fetch_social
from skrec.datasets._synthetic import make_interactions

__all__ = [
    "clear_data_home",
    "fetch_amazon_reviews",
    "fetch_movielens",
    "fetch_social",
    "get_data_home",
    "load_bookshop",
    "make_context_choices",
    "make_interactions",
]
