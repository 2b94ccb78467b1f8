"""Narrow errors and warnings. Each inherits the built-in one that a caller would catch."""

__all__ = [
    "AdditiveInteractionWarning",
    "BelowPopularityWarning",
    "ColdStartWarning",
    "DamagedStateError",
    "DatesAsTextWarning",
    "ExternalAccessError",
    "FeatureCoverageWarning",
    "FormatVersionError",
    "LanguageModelWarning",
    "MissingGlyphWarning",
    "PartFailureWarning",
    "RatingsAsContextWarning",
    "SuspiciousDataWarning",
    "TemplateLanguageWarning",
    "TemporalLeakWarning",
    "TimeAsContextWarning",
    "TrainingWarning",
    "TruncationWarning",
    "UnparsedLanguageWarning",
    "UnreadableTextWarning",
    "UnseenCategoryWarning",
    "UnsupportedArgumentError",
    "UntrainedRankerWarning",
    "UnusedEncoderWarning",
]


class AdditiveInteractionWarning(UserWarning):
    """A model adds a score of the user to a score of the item, so that every user gets the items in the same order."""


class FeatureCoverageWarning(UserWarning):
    """Some ids have no row in a feature table; they get a zero vector."""


class ColdStartWarning(UserWarning):
    """A model has nothing to rank by and falls back to popularity."""


class BelowPopularityWarning(UserWarning):
    """A tuned model does not rank the validation events better than popularity."""


class SuspiciousDataWarning(UserWarning):
    """A table looks like something else than what it is read as; the message names the remedy.

    Each case is a class of its own, so that it can be silenced alone.
    """


class TimeAsContextWarning(SuspiciousDataWarning):
    """A column that looks like the time of the events is read as a context, and their order is lost."""


class DatesAsTextWarning(SuspiciousDataWarning):
    """Dates as text are read as categories: every date is one of its own."""


class RatingsAsContextWarning(SuspiciousDataWarning):
    """A column that looks like ratings or quantities is read as a context, and not as the target."""


class UnseenCategoryWarning(UserWarning):
    """A category of a context was not in fit, so that a model knows nothing of it."""


class UnusedEncoderWarning(SuspiciousDataWarning):
    """A model has an encoder for a feature table that it was fitted without."""


class TemplateLanguageWarning(UserWarning):
    """A language has no templates, and texts are in the nearest one that has."""


class TemporalLeakWarning(UserWarning):
    """An evaluation uses the future: a model is tested on events that are older than events of its training."""


class TrainingWarning(UserWarning):
    """Training went on with smaller batches, or ended before its time: the model has the best weights so far."""


class TruncationWarning(UserWarning):
    """Some texts were longer than ``max_length`` tokens and were cut."""


class LanguageModelWarning(UserWarning):
    """A language model gave no answer that could be used; what there is without it was given."""


class MissingGlyphWarning(UserWarning):
    """No installed font has some characters of the labels of a plot; they are written in other ones."""


class DamagedStateError(ValueError):
    """A file holds a state that no fit could have left, as an item code beyond the catalogue; nothing was loaded."""


class ExternalAccessError(RuntimeError):
    """Something that skops has loaded would reach out of this process, and was not allowed to."""


class FormatVersionError(ValueError):
    """A saved estimator was written by a newer version of skrec than the one that reads it."""


class UnreadableTextWarning(UserWarning):
    """A model cannot read some texts, so that their vectors say little or nothing; the message names what can."""


class UnparsedLanguageWarning(UserWarning):
    """A text is in a language that is not parsed; it counts whole, by its meaning."""


class PartFailureWarning(UserWarning):
    """A part of a composite failed at a request, and the other parts answered it without it."""


class UntrainedRankerWarning(UserWarning):
    """A cascade had no held-out event among its candidates to train the ranker on, and orders without it."""


class UnsupportedArgumentError(ValueError):
    """A request has an argument that the model cannot use, such as a text where it reads none.

    A composite asks such a part again without the argument, as long as another part can use it.

    Parameters
    ----------
    message : str
    argument : str
        Name of the argument.
    """

    def __init__(self, message: str, argument: str) -> None:
        super().__init__(message, argument)
        self.argument = argument

    def __str__(self) -> str:
        return str(self.args[0])
