"""Transformers inside other estimators return arrays, whatever the user set for their own."""

from contextlib import AbstractContextManager, ContextDecorator
from typing import TYPE_CHECKING, cast

from sklearn import config_context

if TYPE_CHECKING:

    class _Both(ContextDecorator, AbstractContextManager[None]): ...


def plain_output() -> "_Both":
    """Within this context, or in a method that it decorates, transformers return arrays.

    ``sklearn.set_config(transform_output="pandas")`` is meant for what the user sees. A transformer inside would
    follow it too, and fail where its output is sparse. What ``set_output`` chose for a transformer is kept.
    """
    return cast("_Both", config_context(transform_output="default"))
