"""Kinds of bad input by role: what may be passed as events, as ids, as a feature table, as a parameter and so on.

Every entry is a function that makes the value afresh, since a call could write into it. Some are right, and listed
since they were once refused or misread: an attack takes a right answer as well as a clear error.
"""

import datetime
import decimal
import fractions

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp

BIG = 10**9
SURROGATE = "lone \ud800 surrogate"


def _frame(users, items=None, **more):
    n = len(users)
    return pd.DataFrame({"user": users, "item": (10 * np.arange(n)) % 150 if items is None else items, **more})


def _cells(*values):
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return cells


def _timed(times):
    return _frame([0, 1, 2], timestamp=times)


def _masked():
    return np.ma.masked_array([[0, 10], [1, 20], [2, 30]], mask=[[0, 0], [1, 0], [0, 1]])


def _void():
    return np.array([(0, 10), (1, 20)], dtype=[("user", int), ("item", int)])


def _strings(values):
    return np.array(values, dtype=np.dtypes.StringDType())


EVENTS = {
    "pandas NA among users": lambda: _frame(_cells(0, pd.NA, 2)),
    "pandas NA among items": lambda: _frame([0, 1, 2], _cells(0, pd.NA, 20)),
    "nullable integers with NA": lambda: _frame(pd.array([0, None, 2], dtype="Int64")),
    "lists in cells": lambda: _frame(_cells([0], [1], [2])),
    "dicts in cells": lambda: _frame([0, 1, 2], _cells({}, {}, {})),
    "tuples in cells": lambda: _frame(_cells((0,), (1,), (2,))),
    "arrays in cells": lambda: _frame(_cells(np.arange(2), np.arange(2), np.arange(2))),
    "a masked array": _masked,
    "a masked array without a mask": lambda: np.ma.masked_array([[0, 10], [1, 20]]),
    "polars Int128": lambda: pl.DataFrame({"user": pl.Series([0, 1], dtype=pl.Int128), "item": [10, 20]}),
    "polars lists in cells": lambda: pl.DataFrame({"user": [[0], [1]], "item": [10, 20]}),
    "polars structs in cells": lambda: pl.DataFrame({"user": [{"a": 1}, {"a": 2}], "item": [10, 20]}),
    "polars nulls": lambda: pl.DataFrame({"user": [0, None], "item": [10, 20]}),
    "a polars column of nulls": lambda: pl.DataFrame({"user": [None, None], "item": [10, 20]}),
    "polars binary": lambda: pl.DataFrame({"user": [b"0", b"1"], "item": [10, 20]}),
    "polars decimals": lambda: pl.DataFrame({"user": [decimal.Decimal(1), decimal.Decimal(2)], "item": [10, 20]}),
    "a lazy frame": lambda: pl.LazyFrame({"user": [0, 1], "item": [10, 20]}),
    "NumPy StringDType": lambda: _strings([["a", "b"], ["c", "d"]]),
    "void": _void,
    "a record array": lambda: np.rec.array(_void()),
    "a pyarrow table with nulls": lambda: pa.table({"user": [0, None], "item": [10, 20]}),
    "pyarrow lists in cells": lambda: pa.table({"user": [[0], [1]], "item": [10, 20]}),
    "complex": lambda: np.array([[0, 10], [1, 20]]) + 1j,
    "a frame without columns": lambda: pd.DataFrame(index=range(3)),
    "a polars frame without columns": pl.DataFrame,
    "a frame without rows": lambda: pd.DataFrame({"user": [], "item": []}),
    "an array without rows": lambda: np.zeros((0, 2)),
    "an array without columns": lambda: np.zeros((3, 0)),
    "an empty list": list,
    "an empty tuple": tuple,
    "a list of empty lists": lambda: [[], []],
    "one column": lambda: [[1], [2]],
    "one row that is no table": lambda: [0, 10],
    "a number": lambda: 7,
    "a 0-d array": lambda: np.array(7),
    "three dimensions": lambda: np.zeros((2, 2, 2)),
    "a generator": lambda: ([user, 10] for user in range(3)),
    "a string": lambda: "user,item",
    "bytes": lambda: b"user,item",
    "a dict": lambda: {"user": [0, 1], "item": [10, 20]},
    "a set": lambda: {(0, 10), (1, 20)},
    "an object": object,
    "ragged rows": lambda: [[0, 10], [1]],
    "a sparse matrix": lambda: sp.csr_array(np.eye(3)),
    "a Series": lambda: pd.Series([0, 1, 2]),
    "a tuple of columns": lambda: (np.array([0, 1]), np.array([10, 20])),
    "NaN": lambda: np.array([[0.0, np.nan], [1.0, 20.0]]),
    "infinity": lambda: np.array([[np.inf, 10.0], [1.0, 20.0]]),
    "None in cells": lambda: [[0, 10], [None, 20]],
    "ids of the other kind": lambda: [["ann", "tea"], ["bob", "rye"]],
    "users of the other kind": lambda: _frame(["ann", "bob"]),
    "bytes as ids": lambda: _frame(_cells(b"ann", b"bob")),
    "dates as ids": lambda: _frame(pd.to_datetime(["2024-01-01", "2024-01-02"])),
    "Python dates as ids": lambda: _frame(_cells(datetime.date(2024, 1, 1), datetime.date(2024, 1, 2))),
    "time spans as ids": lambda: np.array([[0, 10], [1, 20]]).astype("m8[s]"),
    "integers beyond 64 bits": lambda: [[2**70, 10], [2**71, 20]],
    "large integers as floats": lambda: np.array([[2.0**60, 10], [2.0**60 + 300, 20]]),
    "unsigned 64-bit integers": lambda: np.array([[2**64 - 1, 10], [0, 20]], dtype=np.uint64),
    "surrogates in text": lambda: pl.DataFrame(
        {"user": pl.Series([SURROGATE, "b"], dtype=pl.Object), "item": [10, 20]}
    ),
    "booleans as ids": lambda: np.array([[True, False], [False, True]]),
    "decimals as ids": lambda: _frame(_cells(decimal.Decimal("1.5"), decimal.Decimal("NaN"))),
    "fractions as ids": lambda: _frame(_cells(fractions.Fraction(1, 3), fractions.Fraction(2, 3))),
    "long doubles": lambda: np.array([[0, 10], [1, 20]], dtype=np.longdouble),
    "half floats": lambda: np.array([[0, 10], [1, 20]], dtype=np.float16),
    "periods as ids": lambda: _frame(pd.period_range("2024-01", periods=3, freq="M")),
    "intervals as ids": lambda: _frame(pd.interval_range(0, 3)),
    "a category with NA": lambda: _frame(pd.Categorical(["a", None, "b"])),
    "twice one column name": lambda: pd.DataFrame([[0, 10], [1, 20]], columns=["user", "user"]),
    "column names that are no text": lambda: pd.DataFrame([[0, 10], [1, 20]], columns=[0, ("a", 1)]),
    "a target column": lambda: _frame([0, 1], rating=[5, 4]),
    "a further column": lambda: _frame([0, 1], hour=[5, 4]),
    "times of NaT": lambda: _timed(pd.to_datetime(["2024-01-01", None, "2024-01-02"])),
    "times of infinity": lambda: _timed([1.0, np.inf, 2.0]),
    "times of 1e300": lambda: _timed([1.0, 1e300, -1e300]),
    "times of 2**70": lambda: _timed(_cells(1, 2**70, 3)),
    "times in year 9999": lambda: _timed(_cells(*[datetime.datetime(9999, 12, 31)] * 3)),
    "times in text": lambda: _timed(["monday", "tuesday", "friday"]),
    "times of NA": lambda: _timed(_cells(1, pd.NA, 3)),
    "times that are complex": lambda: _timed(np.array([1, 2, 3j])),
    "times that are booleans": lambda: _timed([True, False, True]),
    "times in lists": lambda: _timed(_cells([1], [2], [3])),
    "time spans as times": lambda: _timed(pd.to_timedelta([1, 2, 3], unit="s")),
}

NUMBERS_PER_EVENT = {
    "a number": lambda n: 2.0,
    "a 0-d array": lambda n: np.array(2.0),
    "too few": lambda n: np.ones(n - 1),
    "too many": lambda n: [1] * (n + 1),
    "none": lambda n: [],
    "NaN": lambda n: np.full(n, np.nan),
    "one infinity": lambda n: [np.inf, *[1] * (n - 1)],
    "negative": lambda n: -np.ones(n),
    "zeros": lambda n: np.zeros(n),
    "None in cells": lambda n: [None, *[1] * (n - 1)],
    "NA in cells": lambda n: pd.array([None, *[1] * (n - 1)], dtype="Int64"),
    "object NA": lambda n: _cells(pd.NA, *[1] * (n - 1)),
    "text": lambda n: ["much"] * n,
    "numbers in text": lambda n: ["1.5"] * n,
    "bytes": lambda n: [b"1"] * n,
    "complex": lambda n: np.ones(n) + 1j,
    "booleans": lambda n: np.ones(n, bool),
    "dates": lambda n: np.full(n, np.datetime64("2024-01-01")),
    "masked": lambda n: np.ma.masked_array(np.ones(n), mask=np.arange(n) == 0),
    "two columns": lambda n: np.ones((n, 2)),
    "a row": lambda n: np.ones((1, n)),
    "three dimensions": lambda n: np.ones((n, 1, 1)),
    "a generator": lambda n: (1 for _ in range(n)),
    "a string": lambda n: "1" * n,
    "a dict": lambda n: dict.fromkeys(range(n), 1),
    "a set": lambda n: set(range(n)),
    "sparse": lambda n: sp.csr_array(np.ones((n, 1))),
    "lists in cells": lambda n: _cells(*[[1]] * n),
    "dicts in cells": lambda n: [{}] * n,
    "far too large": lambda n: np.full(n, 1e308),
    "too large": lambda n: np.full(n, 1e25),
    "one too large": lambda n: [1e14, *[1] * (n - 1)],
    "far too small": lambda n: np.full(n, 1e-308),
    "small": lambda n: np.full(n, 1e-20),
    "small ones and large ones": lambda n: np.geomspace(1e-20, 1e12, n),
    "integers beyond 64 bits": lambda n: [2**70] * n,
    "void": lambda n: np.zeros(n, dtype=[("a", float)]),
    "polars Int128": lambda n: pl.Series([1] * n, dtype=pl.Int128),
    "a pyarrow array": lambda n: pa.array([1] * n),
    "a pyarrow array with nulls": lambda n: pa.array([None, *[1] * (n - 1)]),
    "StringDType": lambda n: _strings(["a"] * n),
    "an object": lambda n: object(),
}

IDS = {
    "a number": lambda: 3,
    "a string": lambda: "ann",
    "bytes": lambda: b"ann",
    "a 0-d array": lambda: np.array(3),
    "a generator": lambda: (user for user in (0, 1)),
    "a boolean mask": lambda: np.arange(12) < 3,
    "a list of booleans": lambda: [True, False],
    "a Series of booleans": lambda: pd.Series([True, False]),
    "a frame": lambda: _frame([0, 1]),
    "a polars frame": lambda: pl.DataFrame({"user": [0, 1]}),
    "a lazy frame": lambda: pl.LazyFrame({"user": [0, 1]}),
    "a pyarrow table": lambda: pa.table({"user": [0, 1]}),
    "pandas NA": lambda: [0, pd.NA],
    "nullable integers": lambda: pd.array([0, 10], dtype="Int64"),
    "nullable integers with NA": lambda: pd.array([0, None], dtype="Int64"),
    "a Series with NA": lambda: pd.Series([0, None], dtype="Int64"),
    "a pyarrow array": lambda: pa.array([0, 10]),
    "a pyarrow array with nulls": lambda: pa.array([0, None]),
    "a chunked pyarrow array": lambda: pa.chunked_array([[0], [10]]),
    "a pyarrow array of lists": lambda: pa.array([[0], [10]]),
    "polars Int128": lambda: pl.Series([0, 10], dtype=pl.Int128),
    "polars lists": lambda: pl.Series([[0], [10]]),
    "polars structs": lambda: pl.Series([{"a": 0}]),
    "polars nulls": lambda: pl.Series([0, None]),
    "StringDType": lambda: _strings(["ann", "bob"]),
    "void": _void,
    "raw void": lambda: np.zeros(2, dtype="V8"),
    "masked": lambda: np.ma.masked_array([0, 10], mask=[0, 1]),
    "masked without a mask": lambda: np.ma.masked_array([0, 10]),
    "complex": lambda: np.array([0, 10j]),
    "dates": lambda: pd.to_datetime(["2024-01-01", "2024-01-02"]),
    "NumPy dates": lambda: np.array(["2024-01-01"], dtype="M8[D]"),
    "Python dates": lambda: [datetime.date(2024, 1, 1)],
    "time spans": lambda: np.array([1, 2], dtype="m8[s]"),
    "two dimensions": lambda: np.zeros((2, 2), int),
    "nested lists": lambda: [[0, 10], [20, 30]],
    "ragged lists": lambda: [[0, 10], [20]],
    "lists deep inside": lambda: [[[[0]]]],
    "a list and a number": lambda: [0, [10]],
    "NaN": lambda: [0, float("nan")],
    "infinity": lambda: np.array([np.inf, 0]),
    "None in it": lambda: [0, None],
    "other kind": lambda: ["ann", "bob"],
    "numbers in text": lambda: ["0", "10"],
    "bytes in it": lambda: [b"ann"],
    "both kinds": lambda: [0, "ann"],
    "integers beyond 64 bits": lambda: [0, 2**70],
    "unsigned 64-bit integers": lambda: np.array([2**64 - 1, 0], dtype=np.uint64),
    "large floats": lambda: [2.0**60],
    "long doubles": lambda: np.array([0, 10], dtype=np.longdouble),
    "surrogates": lambda: [SURROGATE],
    "a set": lambda: {0, 10},
    "a dict": lambda: {0: 1, 10: 2},
    "a range": lambda: range(0, 20, 10),
    "an empty list": list,
    "an empty array": lambda: np.zeros(0),
    "an empty Series": lambda: pd.Series([], dtype=object),
    "a tuple": lambda: (0, 10),
    "an index": lambda: pd.Index([0, 10]),
    "a category": lambda: pd.Categorical([0, 10]),
    "a Series with an odd index": lambda: pd.Series([0, 10], index=[7, 7]),
    "dicts in it": lambda: [{}, {}],
    "tuples in it": lambda: [(0,), (10,)],
    "an object": object,
    "objects in it": lambda: [object()],
    "decimals": lambda: [decimal.Decimal("NaN")],
    "unknown ones": lambda: [10**7],
    "a sparse matrix": lambda: sp.csr_array(np.eye(2)),
}

COUNTS = {
    "True": lambda: True,
    "NumPy True": lambda: np.True_,
    "0": lambda: 0,
    "-1": lambda: -1,
    "1.5": lambda: 1.5,
    "3.0": lambda: 3.0,
    "None": lambda: None,
    "text": lambda: "3",
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "far beyond the catalogue": lambda: BIG,
    "beyond 64 bits": lambda: 10**30,
    "a NumPy integer": lambda: np.int8(3),
    "a NumPy float": lambda: np.float64(3),
    "a list": lambda: [3],
    "an array": lambda: np.array([3]),
    "a 0-d array": lambda: np.array(3),
    "complex": lambda: 3 + 0j,
    "a Decimal": lambda: decimal.Decimal(3),
    "NA": lambda: pd.NA,
    "an object": object,
}

TEXTS = {
    "None": lambda: None,
    "a number": lambda: 3,
    "bytes": lambda: b"garden",
    "an empty list": list,
    "an empty text": lambda: "",
    "None in it": lambda: [None],
    "a number in it": lambda: ["garden", 3],
    "bytes in it": lambda: [b"garden"],
    "lists in it": lambda: [["garden"]],
    "surrogates": lambda: SURROGATE,
    "NUL": lambda: "\0garden\0",
    "a long text": lambda: "garden " * 20_000,
    "one long word": lambda: "g" * 200_000,
    "a generator": lambda: (text for text in ["garden"]),
    "a dict": lambda: {"garden": 1},
    "a set": lambda: {"garden"},
    "an array": lambda: np.array(["garden"]),
    "two dimensions": lambda: np.array([["garden", "sea"]]),
    "StringDType": lambda: _strings(["garden"]),
    "a Series with NA": lambda: pd.Series(["garden", None], dtype="string"),
    "a polars Series with nulls": lambda: pl.Series(["garden", None]),
    "a frame": lambda: pd.DataFrame({"text": ["garden"]}),
    "NaN": lambda: [float("nan")],
    "True": lambda: True,
    "an object": object,
}

WEIGHTS = {
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "-1": lambda: -1,
    "2": lambda: 2,
    "text": lambda: "half",
    "None": lambda: None,
    "True": lambda: True,
    "a list": lambda: [0.5],
    "an array": lambda: np.array([0.5, 0.5]),
    "complex": lambda: 0.5j,
    "NA": lambda: pd.NA,
}

FLAGS = {
    "text": lambda: "no",
    "None": lambda: None,
    "a number": lambda: 2,
    "an array": lambda: np.array([True, False]),
    "an empty list": list,
    "NA": lambda: pd.NA,
    "NumPy False": lambda: np.False_,
    "an object": object,
}

CONTEXTS = {
    "a number": lambda: 1.0,
    "a row that is no table": lambda: [1.0, 2.0],
    "three dimensions": lambda: np.ones((2, 1, 1)),
    "no rows": lambda: np.zeros((0, 2)),
    "too many columns": lambda: np.ones((2, 7)),
    "too many rows": lambda: np.ones((5, 2)),
    "no columns": lambda: np.ones((2, 0)),
    "NaN": lambda: np.full((1, 2), np.nan),
    "infinity": lambda: np.full((1, 2), np.inf),
    "1e300": lambda: np.full((1, 2), 1e300),
    "1e25": lambda: np.full((1, 2), 1e25),
    "text": lambda: [["warm", "late"]],
    "complex": lambda: np.ones((1, 2)) + 1j,
    "masked": lambda: np.ma.masked_array(np.ones((1, 2)), mask=[[0, 1]]),
    "dates": lambda: np.full((1, 2), np.datetime64("2024-01-01")),
    "a dict": lambda: {"hour": 1.0, "heat": 1.0},
    "a list of dicts": lambda: [{"hour": 1.0, "heat": 1.0}],
    "a string": lambda: "late",
    "a generator": lambda: ([1.0, 1.0] for _ in range(1)),
    "ragged rows": lambda: [[1.0, 2.0], [1.0]],
    "lists in cells": lambda: [[[1.0], [2.0]]],
    "NA": lambda: [[pd.NA, 1.0]],
    "None in cells": lambda: [[None, 1.0]],
    "another name": lambda: pd.DataFrame({"hour": [1.0], "cold": [2.0]}),
    "a frame without columns": lambda: pd.DataFrame(index=range(2)),
    "twice one name": lambda: pd.DataFrame([[1.0, 2.0]], columns=["hour", "hour"]),
    "a lazy frame": lambda: pl.LazyFrame({"hour": [1.0], "heat": [2.0]}),
    "sparse": lambda: sp.csr_array(np.ones((1, 2))),
    "void": lambda: np.zeros(1, dtype=[("hour", float), ("heat", float)]),
    "an object": object,
}


def _with_column(items, column):
    return pd.DataFrame({"item": items, "text": ["garden sea"] * len(items), "feature": column(len(items))})


def _matrix(items, value, dtype=np.float64):
    matrix = np.ones((len(items), 3), dtype)
    matrix[0, 0] = value
    return (items, matrix)


TABLES = {
    "a number": lambda items: 3,
    "a string": lambda items: "table",
    "a list": lambda items: [[item, 1.0] for item in items],
    "a dict": lambda items: {"item": items, "feature": items},
    "an array": lambda items: np.ones((len(items), 3)),
    "a tuple of one": lambda items: (items,),
    "a tuple of three": lambda items: (items, items, items),
    "a generator": lambda items: (item for item in items),
    "a lazy frame": lambda items: pl.LazyFrame({"item": items, "feature": [1.0] * len(items)}),
    "a frame without columns": lambda items: pd.DataFrame(index=range(3)),
    "a frame without rows": lambda items: pd.DataFrame({"item": [], "feature": []}),
    "a frame of ids alone": lambda items: pd.DataFrame({"item": items}),
    "one dimension": lambda items: (items, np.ones(len(items))),
    "three dimensions": lambda items: (items, np.ones((len(items), 2, 2))),
    "no column": lambda items: (items, np.ones((len(items), 0))),
    "no row": lambda items: ([], np.ones((0, 3))),
    "too few rows": lambda items: (items, np.ones((1, 3))),
    "ids twice": lambda items: ([*items, items[0]], np.ones((len(items) + 1, 3))),
    "NaN ids": lambda items: ([np.nan, *items[1:]], np.ones((len(items), 3))),
    "NA ids": lambda items: (_cells(pd.NA, *items[1:]), np.ones((len(items), 3))),
    "ids in lists": lambda items: ([[item] for item in items], np.ones((len(items), 3))),
    "ids of the other kind": lambda items: ([f"item {item}" for item in items], np.ones((len(items), 3))),
    "ids in text": lambda items: ([str(item) for item in items], np.ones((len(items), 3))),
    "dates as ids": lambda items: (pd.date_range("2024-01-01", periods=len(items)), np.ones((len(items), 3))),
    "a mask as ids": lambda items: (np.ones(len(items), bool), np.ones((len(items), 3))),
    "a masked array of ids": lambda items: (np.ma.masked_array(items, mask=np.arange(len(items)) == 0), np.eye(15)),
    "NaN": lambda items: _matrix(items, np.nan),
    "infinity": lambda items: _matrix(items, np.inf),
    "1e25": lambda items: _matrix(items, 1e25),
    "1e25 everywhere": lambda items: (items, np.full((len(items), 3), 1e25) * [1, -1, 2]),
    "1e300": lambda items: _matrix(items, 1e300),
    "1e-30": lambda items: (items, np.full((len(items), 3), 1e-30)),
    "zeros": lambda items: (items, np.zeros((len(items), 3))),
    "complex": lambda items: _matrix(items, 1j, np.complex128),
    "masked": lambda items: (items, np.ma.masked_array(np.ones((len(items), 3)), mask=np.eye(len(items), 3))),
    "booleans": lambda items: _matrix(items, True, bool),
    "dates": lambda items: (items, np.full((len(items), 3), np.datetime64("2024-01-01"))),
    "text": lambda items: (items, np.full((len(items), 3), "garden")),
    "StringDType": lambda items: (items, _strings([["garden"] * 3] * len(items))),
    "void": lambda items: (items, np.zeros((len(items), 2), dtype=[("a", float)])),
    "objects": lambda items: (items, np.full((len(items), 3), object())),
    "integers beyond 64 bits": lambda items: (items, np.full((len(items), 3), 2**70, dtype=object)),
    "sparse with NaN": lambda items: (items, sp.csr_array(np.full((len(items), 3), np.nan))),
    "sparse and complex": lambda items: (items, sp.csr_array(np.full((len(items), 3), 1j))),
    "sparse with 1e25": lambda items: (items, sp.csr_array(np.full((len(items), 3), 1e25))),
    "a string as the matrix": lambda items: (items, "matrix"),
    "None as the matrix": lambda items: (items, None),
    "ragged rows": lambda items: (items, [[1.0]] * (len(items) - 1) + [[1.0, 2.0]]),
    "a column of NaN": lambda items: _with_column(items, lambda n: np.full(n, np.nan)),
    "a column of 1e25": lambda items: _with_column(items, lambda n: np.full(n, 1e25)),
    "a column of infinity": lambda items: _with_column(items, lambda n: np.full(n, np.inf)),
    "a column of complex": lambda items: _with_column(items, lambda n: np.full(n, 1j)),
    "a column of lists": lambda items: _with_column(items, lambda n: [[1]] * n),
    "a column of dicts": lambda items: _with_column(items, lambda n: [{}] * n),
    "a column of None": lambda items: _with_column(items, lambda n: [None] * n),
    "a column of NA": lambda items: _with_column(items, lambda n: pd.array([None] * n, dtype="Int64")),
    "a column of dates": lambda items: _with_column(items, lambda n: pd.date_range("2024-01-01", periods=n)),
    "a column of surrogates": lambda items: _with_column(items, lambda n: pd.Series([SURROGATE] * n, dtype=object)),
    "a column of bytes": lambda items: _with_column(items, lambda n: [b"garden"] * n),
    "twice one column name": lambda items: pd.DataFrame(
        {"item": items, "a": ["garden"] * len(items), "b": ["sea"] * len(items)}
    ).set_axis(["item", "a", "a"], axis=1),
    "an object": lambda items: object(),
}

PARAMETERS = {
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "-infinity": lambda: float("-inf"),
    "-1": lambda: -1,
    "0": lambda: 0,
    "True": lambda: True,
    "text": lambda: "many",
    "None": lambda: None,
    "a list": lambda: [1],
    "an array": lambda: np.array([1.0, 2.0]),
    "complex": lambda: 1j,
    "NA": lambda: pd.NA,
    "1e308": lambda: 1e308,
    "-1e308": lambda: -1e308,
    "1e25": lambda: 1e25,
    "1e-308": lambda: 1e-308,
    "1e-20": lambda: 1e-20,
    "10**9": lambda: BIG,
    "10**30": lambda: 10**30,
    "an object": object,
}
