"""scikit-learn's decorator of ``fit``, with types, and with limits that float32 and memory set."""

from collections.abc import Callable
from functools import wraps
from numbers import Integral, Real
from typing import Any, TypeVar, cast

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, InvalidParameterError

from skrec.utils._snapshots import kept_on_failure

Method = TypeVar("Method", bound=Callable[..., Any])

LEAST_NUMBER, LARGEST_NUMBER = 1e-30, 1e30
"""Of a parameter that must be positive, and of any parameter: float32 holds no more, with some margin for products."""

MOST_FACTORS = 4096
"""Factors of a model: it holds square matrices of this width, and no data need as many."""


def fit_context(*, prefer_skip_nested_validation: bool, restore_on_failure: bool = False) -> Callable[[Method], Method]:
    """Validate the parameters of an estimator before the method runs.

    scikit-learn's own decorator has no types, and would hide from an editor what ``fit`` returns. It takes True for 1,
    and infinity for a number.

    Parameters
    ----------
    prefer_skip_nested_validation : bool
        Whether estimators inside skip the validation of theirs: True where they cannot be the user's.
    restore_on_failure : bool, default=False
        Whether the estimator gets its state back where the method raises or is interrupted: for methods that fit in
        place.

    Returns
    -------
    callable
        A decorator of a method of an estimator.
    """
    decorate: Callable[[Method], Method] = _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)

    def decorate_with_limits(method: Method) -> Method:
        validated = decorate(method)

        @wraps(validated)
        def fit(estimator: Any, *args: Any, **kwargs: Any) -> Any:
            check_number_parameters(estimator)
            with kept_on_failure(*([estimator] if restore_on_failure else [])):
                return validated(estimator, *args, **kwargs)

        return cast(Method, fit)

    return decorate_with_limits


def read_random_state(random_state: Any) -> np.random.RandomState:
    """The generator of a parameter ``random_state`` that no estimator validates.

    Raises
    ------
    ValueError
        If it is neither None, nor a seed, nor a RandomState.
    """
    try:
        return check_random_state(random_state)
    except ValueError:
        raise ValueError(
            f"random_state must be None, a seed from 0 to 2**32 - 1, or a RandomState; got {random_state!r:.60}."
        ) from None


def check_number_parameters(estimator: Any) -> None:
    """Refuse True for a number, and numbers that are infinite or far too large.

    Raises
    ------
    ValueError
        Naming the parameter.
    """
    for name, rules in estimator._parameter_constraints.items():
        kinds = [rule.type for rule in rules if isinstance(rule, Interval)] if isinstance(rules, list) else []
        if not kinds:
            continue
        value: Any = getattr(estimator, name, None)
        what = f"The {name!r} parameter of {type(estimator).__name__}"
        if isinstance(value, bool | np.bool_):
            raise InvalidParameterError(f"{what} must be a number; got {value!r}.")
        if isinstance(value, Integral) and abs(int(value)) > np.iinfo(np.int64).max:
            raise InvalidParameterError(f"{what} must be an integer of 64 bits; got {value!r}.")
        is_real = Real in kinds and isinstance(value, Real)
        if is_real and 0 < value < LEAST_NUMBER and not any(0 in rule for rule in rules if isinstance(rule, Interval)):
            raise InvalidParameterError(f"{what} must be at least {LEAST_NUMBER:g}; got {value!r}, which rounds to 0.")
        if is_real and not abs(value) <= LARGEST_NUMBER:
            raise InvalidParameterError(f"{what} must be a finite number of at most {LARGEST_NUMBER:g}; got {value!r}.")
