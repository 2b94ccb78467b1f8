"""Columns of the context in words: "Monday, 08:00"."""

from __future__ import annotations

from typing import Any

import numpy as np

_DAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "zh": "星期一 星期二 星期三 星期四 星期五 星期六 星期日",
}
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",  # codespell:ignore
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "zh": "一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 十一月 十二月",
}


def context_words(name: str | None, value: Any, language: str = "en") -> str | None:
    """A column of the context in words: a moment, else "column: value", else the column; None without a name.

    Parameters
    ----------
    name : str or None
        Of the column.
    value : datetime64, str or None
        What it holds.
    language : {"en", "de", "fr", "es", "zh"}

    Examples
    --------
    >>> import numpy as np
    >>> from skrec._explain import context_words
    >>> monday = np.datetime64("2024-05-06T08:00")
    >>> context_words("timestamp", monday), context_words("timestamp", monday, "de")
    ('Monday, 08:00', 'Montag, 08:00')
    """
    if isinstance(value, np.datetime64):
        return moment_words(value, language)
    colon = "：" if language == "zh" else ": "
    return name if value is None or name is None else f"{name}{colon}{value}"


def moment_words(moment: np.datetime64, language: str = "en") -> str:
    """A moment to the minute as day and time, to the day as its day, to the month as its month."""
    unit = np.datetime_data(moment.dtype)[0]
    if unit == "M":
        return _MONTHS[language].split()[int(moment.astype(np.int64)) % 12]
    day = _DAYS[language].split()[(int(moment.astype("M8[D]").astype(np.int64)) + 3) % 7]  # 1970 began on a Thursday
    return day if unit == "D" else f"{day}{'，' if language == 'zh' else ', '}{str(moment.astype('M8[m]'))[-5:]}"
