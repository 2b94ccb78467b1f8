"""Narrow errors and warnings. Each inherits the built-in one that a caller would catch."""

__all__ = [
    "ColdStartWarning",
    "FeatureCoverageWarning",
    "FormatVersionError",
    "LanguageModelWarning",
    "SuspiciousDataWarning",
    "TemporalLeakWarning",
    "TruncationWarning",
    "UnparsedLanguageWarning",
]


class FeatureCoverageWarning(UserWarning):
    """Some ids have no row in a feature table; they get a zero vector."""


class ColdStartWarning(UserWarning):
    """A model has nothing to rank by and falls back to popularity."""


class SuspiciousDataWarning(UserWarning):
    """A table looks like something else than what it is read as; the message names the remedy."""


class TemporalLeakWarning(UserWarning):
    """An evaluation uses the future: a model is tested on events that are older than events of its training."""


class TruncationWarning(UserWarning):
    """Some texts were longer than ``max_length`` tokens and were cut."""


class LanguageModelWarning(UserWarning):
    """A language model gave no answer that could be used; what there is without it was given."""


class FormatVersionError(ValueError):
    """A saved estimator was written by a newer version of skrec than the one that reads it."""


class UnparsedLanguageWarning(UserWarning):
    """A text is in a language that is not parsed; it counts whole, by its meaning."""
