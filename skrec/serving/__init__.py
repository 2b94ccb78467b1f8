"""An HTTP service over a fitted recommender; it needs the extra ``serve``: ``pip install "skrec-text[serve]"``.

``skrec serve model.skops`` runs it from the command line.
"""

from skrec.serving._errors import ModelFileError
from skrec.serving._limits import ServiceLimits
from skrec.serving._making import load_recommender, make_app
from skrec.serving._run import serve

__all__ = ["ModelFileError", "ServiceLimits", "load_recommender", "make_app", "serve"]
