"""Data to learn, test and measure on."""

from skrec.datasets._bookshop import load_bookshop
from skrec.datasets._synthetic import make_interactions

__all__ = ["load_bookshop", "make_interactions"]
