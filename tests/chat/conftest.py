"""Tiny causal models: see ``causal_models.py``."""

from causal_models import causal_folder, causal_folders  # noqa: F401
