"""One log in every form gives the same X, y and report; nothing is read as what it is not."""

import builtins
import gzip
import importlib.util
import json
from datetime import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skrec.interactions import read_events, read_log
from skrec.neighbors import ItemKNNRecommender

ROWS = [
    ("007", "a1", 5.0, "2024-01-31T08:00:00", "phone"),
    ("007", "b2", 3.0, "2024-02-01T09:30:00", "desk"),
    ("012", "a1", 4.0, "2024-02-02T00:00:00", "phone"),
    ("012", "a1", 2.0, "2024-02-03T00:00:00", "phone"),
]
NAMES = ["customer_id", "product", "stars", "ordered_at", "device"]
CSV = "\n".join([",".join(NAMES), *(",".join(map(str, row)) for row in ROWS)])
FRAME = pd.DataFrame(ROWS, columns=NAMES)
SECONDS = [
    datetime(*at).timestamp() - datetime(1970, 1, 1).timestamp()
    for at in [(2024, 1, 31, 8), (2024, 2, 1, 9, 30), (2024, 2, 2), (2024, 2, 3)]
]


def _csv(tmp_path, text, name="log.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def _sources(tmp_path):
    pq.write_table(pa.Table.from_pandas(FRAME), tmp_path / "log.parquet")
    packed = tmp_path / "log.csv.gz"
    packed.write_bytes(gzip.compress(CSV.encode()))
    return {
        "pandas": FRAME,
        "pandas with an index": FRAME.set_index(np.array([7, 7, 1, 2])),
        "polars": pl.from_pandas(FRAME),
        "pyarrow": pa.Table.from_pandas(FRAME),
        "lazy": pl.from_pandas(FRAME).lazy(),
        "csv": _csv(tmp_path, CSV),
        "csv path as text": str(_csv(tmp_path, CSV)),
        "gzip": packed,
        "parquet": tmp_path / "log.parquet",
        "dicts": FRAME.to_dict("records"),
        "columns": FRAME.to_dict("list"),
        "semicolons": _csv(tmp_path, CSV.replace(",", ";"), "a.csv"),
        "tabs": _csv(tmp_path, CSV.replace(",", "\t"), "a.tsv"),
        "double colons": _csv(tmp_path, CSV.replace(",", "::"), "a.dat"),
        "bom": _csv(tmp_path, CSV, "bom.csv", "utf-8-sig"),
        "utf-16": _csv(tmp_path, CSV, "wide.csv", "utf-16"),
        "crlf": _csv(tmp_path, CSV.replace("\n", "\r\n"), "crlf.csv"),
        "json lines": _csv(tmp_path, FRAME.to_json(orient="records", lines=True), "log.jsonl"),
        "json list": _csv(tmp_path, FRAME.to_json(orient="records"), "log.json"),
    }


FORMS = (
    "pandas", "pandas with an index", "polars", "pyarrow", "lazy", "csv", "csv path as text", "gzip", "parquet",
    "dicts", "columns", "semicolons", "tabs", "double colons", "bom", "utf-16", "crlf",
    "json lines", "json list",
)  # fmt: skip


@pytest.mark.parametrize("kind", FORMS)
def test_every_form_gives_the_same_log(kind, tmp_path):
    sources = _sources(tmp_path)
    assert set(sources) == set(FORMS)
    source = sources[kind]
    log = read_log(source, context=["device"])
    events = read_events(log.X)
    assert np.asarray(events.users).tolist() == ["007", "007", "012", "012"]
    assert np.asarray(events.items).tolist() == ["a1", "b2", "a1", "a1"]
    assert events.timestamp.tolist() == SECONDS
    assert log.y.tolist() == [5.0, 3.0, 4.0, 2.0]
    assert list(pd.DataFrame(log.X) if isinstance(log.X, pd.DataFrame) else log.X.to_pandas())[:3] == [
        "customer_id",
        "product",
        "device",
    ]
    report = log.report
    assert (report.n_events, report.n_users, report.n_items, report.n_repeats, len(log)) == (4, 2, 2, 1, 4)
    assert (report.first, report.last) == ("2024-01-31 08:00:00", "2024-02-03 00:00:00")
    assert "parsed as dates" in str(report)
    rec = ItemKNNRecommender().fit(log.X, log.y)
    assert rec.items_.tolist() == ["a1", "b2"]


def test_a_frame_is_answered_in_its_own_library():
    for kind, source in (
        ("pandas", FRAME),
        ("polars", pl.from_pandas(FRAME)),
        ("pyarrow", pa.Table.from_pandas(FRAME)),
    ):
        assert type(read_log(source).X).__module__.startswith(kind)
    assert isinstance(read_log(pl.from_pandas(FRAME).lazy()).X, pl.DataFrame)


def test_gbk_is_told_and_latin_1_is_not_guessed(tmp_path):
    numbered = read_log(_csv(tmp_path, "会员编号,商品编码,购买时间\n007,A1,2024-01-05\n008,B2,2024-01-06"))
    assert list(numbered.X.columns) == ["会员编号", "商品编码", "timestamp"]
    log = read_log(_csv(tmp_path, "用户,商品,时间\n张三,苹果,2024年1月5日\n李四,香蕉,2024/01/06", encoding="gbk"))
    assert list(log.X.columns) == ["用户", "商品", "timestamp"]
    assert log.X["商品"].tolist() == ["苹果", "香蕉"]
    assert read_events(log.X).timestamp.tolist() == [1704412800.0, 1704499200.0]
    assert "gbk" in log.report.source
    latin = _csv(tmp_path, "user,item\nMüller,Käse\nJosé,Crème", "latin.csv", "cp1252")
    with pytest.raises(ValueError, match=r"is not UTF-8.*encoding='cp1252'"):
        read_log(latin)
    assert read_log(latin, encoding="cp1252").X["user"].tolist() == ["Müller", "José"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "22"], [1, 22]),
        (["01", "22"], ["01", "22"]),
        (["1.0", "22"], ["1.0", "22"]),
        (["1e5", "2"], ["1e5", "2"]),
        (["-0", "2"], ["-0", "2"]),
        (["9007199254740993", "1"], [9007199254740993, 1]),
        (["1234567890123456789012", "1"], ["1234567890123456789012", "1"]),
        (["NA", "nan"], ["NA", "nan"]),
        (["True", "False"], ["True", "False"]),
        (["2024-01-01", "2024-01-02"], ["2024-01-01", "2024-01-02"]),
    ],
)
def test_ids_of_text_stay_what_they_are(cells, expected, tmp_path):
    log = read_log(_csv(tmp_path, "user,item\n" + "\n".join(f"{cell},x" for cell in cells)))
    assert log.X["user"].tolist() == expected


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp", "Cs"]), min_size=1), min_size=1
    )
)
def test_any_text_id_comes_back(tmp_path_factory, ids):
    frame = pd.DataFrame({"user": ids, "item": "x"})
    path = tmp_path_factory.mktemp("ids") / "log.csv"
    frame.to_csv(path, index=False)
    found = read_log(path, delimiter=",").X["user"].tolist()
    assert [str(value) for value in found] == ids


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2.5"], [1.0, 2.5]),
        (["0123", "4567"], ["0123", "4567"]),
        (["true", "FALSE"], [True, False]),
        (["2024-01-01", "2024-01-02"], [datetime(2024, 1, 1), datetime(2024, 1, 2)]),
        (["2024.1.1 beta", "2024.1.2"], ["2024.1.1 beta", "2024.1.2"]),
        (["inf", "1"], ["inf", "1"]),
    ],
)
def test_context_of_text_is_read_as_what_every_cell_is(cells, expected, tmp_path):
    text = "user,item,c\n" + "\n".join(f"{j},x,{cell}" for j, cell in enumerate([*cells, ""]))
    column = read_log(_csv(tmp_path, text), context=["c"]).X["c"]
    assert column[:2].tolist() == expected
    assert pd.isna(column[2])


@pytest.mark.parametrize(
    ("cells", "seconds", "words"),
    [
        (["2024-01-31T08:00:00Z", "2024-01-31T10:00:00+02:00"], [1706688000.0] * 2, "converted to UTC"),
        (["20240131", "20240201"], [1706659200.0, 1706745600.0], "parsed as dates"),
        (["2024/1/31", "2024/2/1"], [1706659200.0, 1706745600.0], "parsed as dates"),
        (["2024/1/31 8:00", "2024年2月1日 8:00:30"], [1706688000.0, 1706774430.0], "parsed as dates"),
        (["31.01.2024", "01.02.2024"], [1706659200.0, 1706745600.0], "parsed as dates"),
        (["1/31/2024 8:00", "2/1/2024 08:00:30"], [1706688000.0, 1706774430.0], "parsed as dates"),
        (["1706688000", "1706688001"], [1706688000, 1706688001], ", seconds since 1970"),
        (["1706688000123", "1706688000124"], [1706688000123, 1706688000124], "milliseconds since 1970"),
        (["1706688000.5", "1706688001"], [1706688000.5, 1706688001.0], "seconds since 1970"),
        (["1", "2"], [1, 2], "too small"),
    ],
)
def test_times_of_text(cells, seconds, words, tmp_path):
    log = read_log(_csv(tmp_path, "user,item,time\n" + "\n".join(f"{j},x,{cell}" for j, cell in enumerate(cells))))
    assert read_events(log.X).timestamp.tolist() == seconds
    assert words in str(log.report)


def test_time_format(tmp_path):
    path = _csv(tmp_path, "user,item,date\n1,x,05/01/2024\n2,x,31/01/2024")
    for cells in ("05/01/2024,06/02/2024", "31/01/2024,01/31/2024"):  # nothing tells, or both
        unclear = _csv(tmp_path, "user,item,date\n" + "\n".join(f"1,x,{cell}" for cell in cells.split(",")), "b.csv")
        with pytest.raises(ValueError, match=r"what is the day and what the month.*time_format='%d/%m/%Y'"):
            read_log(unclear)
    log = read_log(path, time_format="%d/%m/%Y")
    assert read_events(log.X).timestamp.tolist() == [1704412800.0, 1706659200.0]


@pytest.mark.parametrize("convert", [sp.csr_array, sp.coo_array, sp.csc_matrix])
def test_sparse_matrices(convert):
    dense = np.array([[0, 2.0, 0], [3.0, 0, 1.0]])
    log = read_log(convert(dense))
    found = sorted(zip(log.X["user"], log.X["item"], log.y, strict=True))
    assert found == [(0, 1, 2.0), (1, 0, 3.0), (1, 2, 1.0)]
    named = read_log(convert(dense), user_ids=["u", "v"], item_ids={"a": 0, "b": 1, "c": 2})
    assert sorted(zip(named.X["user"], named.X["item"], strict=True)) == [("u", "b"), ("v", "a"), ("v", "c")]
    assert read_log(convert(dense > 0)).y is None


def test_layouts_of_other_libraries():
    raw = [("u1", "i1", 4.0, None), ("u1", "i2", 2.0, None)]
    surprise = SimpleNamespace(raw_ratings=raw)
    trainset = SimpleNamespace(
        all_ratings=lambda: [(0, 0, 4.0), (0, 1, 2.0)],
        to_raw_uid=["u1"].__getitem__,
        to_raw_iid=["i1", "i2"].__getitem__,
    )
    ones, weights = sp.coo_array([[1, 1]]), sp.coo_array([[4.0, 2.0]])
    lightfm = read_log((ones, weights), user_ids={"u1": 0}, item_ids={"i1": 0, "i2": 1})
    for log in (read_log(surprise), read_log(trainset), lightfm, read_log([row[:3] for row in raw])):
        assert log.X["user"].tolist() == ["u1", "u1"]
        assert log.X["item"].tolist() == ["i1", "i2"]
        assert log.y.tolist() == [4.0, 2.0]
        assert list(log.X.columns) == ["user", "item"]
    with pytest.raises(ValueError, match="do not have the entries"):
        read_log((ones, sp.coo_array([[0, 2.0]])))


def test_missing_ids_are_counted_and_dropped_on_demand(tmp_path):
    frame = pd.DataFrame({"user": [1, None, 2], "item": ["a", "b", "c"], "rating": [1, 2, 3]})
    for source in (frame, pl.from_pandas(frame), _csv(tmp_path, "user,item,rating\n1,a,1\n,b,2\n2,c,3")):
        with pytest.raises(ValueError, match=r"Cells are missing in \{'user': 1\} \(event 2.*drop_missing=True"):
            read_log(source)
        log = read_log(source, drop_missing=True)
        users = np.asarray(read_events(log.X).users)
        assert users.dtype.kind == "i"  # the gap had made floats of integers
        assert users.tolist() == [1, 2]
        assert log.y.tolist() == [1, 3]
        assert log.report.n_dropped == 1


@pytest.mark.parametrize(
    ("names", "kwargs", "message"),
    [
        (["user", "user_id", "item"], {}, r"\['user', 'user_id'\] could all be the user ids.*user='user'"),
        (["user", "item", "date", "created_at"], {}, "could all be the time.*timestamp=False"),
        (["user", "item", "stars", "quantity"], {}, "could all be the rating"),
        (["who", "item"], {}, "No column name says which one holds the user ids.*user='...'"),
        (["user", "item"], {"user": "who"}, "user='who' is not a column"),
        (["user", "item"], {"user": "item"}, "No column name says|several roles"),
        (["user", "item", "timestamp"], {"context": ["timestamp"]}, "can only be the time"),
    ],
)
def test_unclear_names_are_refused(names, kwargs, message):
    frame = pd.DataFrame([[1] * len(names)], columns=names)
    for source in (frame, pl.from_pandas(frame), frame.to_dict("list")):
        with pytest.raises(ValueError, match=message):
            read_log(source, **kwargs)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("order_id purchased_at buyer_email product_code unit_price qty", "buyer_email product_code purchased_at qty"),
        ("用户ID 商品ID 评分（1-5） 评价时间 订单号", "用户ID 商品ID 评价时间 评分（1-5）"),
        ("User;Movie Title;Rating (0,5-5);Watched on", "User;Movie Title;Watched on;Rating (0,5-5)"),
        (
            "customer customer_email sku product_name order_date delivery_date",
            "customer sku order_date",
        ),
        ("member film birth_date", "member film"),  # a date of something else is no time of the event
    ],
)
def test_names_that_shops_give(names, expected):
    by = ";" if ";" in names else " "
    frame = pd.DataFrame([[1] * len(names.split(by))], columns=names.split(by))
    report = read_log(frame).report
    assert [column.name for column in report.columns] == expected.split(by)


def test_a_messy_export(tmp_path):
    """A BOM, semicolons, decimal commas, a column that stands there twice, and an id that is missing."""
    header = "User Name ;Film;Rating (0,5-5);Date;Votes;Date\r\n"
    rows = (
        "ann;A;4,5;31.12.2023;1.204;31.12.2023\r\n;B;3;01.02.2024;1.001;01.02.2024\r\nbo;A;0,5;02.02.2024;2;02.02.2024"
    )
    log = read_log(_csv(tmp_path, header + rows, encoding="utf-8-sig"), drop_missing=True)
    assert log.y.tolist() == [4.5, 0.5]
    assert log.X["User Name"].tolist() == ["ann", "bo"]
    assert "identical columns read once 'Date'" in log.report.source
    with pytest.raises(ValueError, match="several columns named 'Date' that differ"):
        read_log(
            _csv(
                tmp_path,
                (header + rows).replace("02.02.2024\r\n", "03.02.2024").replace(";02.02.2024", ";03.02.2024", 1),
            )
        )
    with pytest.raises(ValueError, match="holds '1,234'"):  # thousands or decimals
        read_log(_csv(tmp_path, "user;item;rating\n1;2;1,234"))


def test_named_columns_settle_it():
    frame = pd.DataFrame({"user": [1], "user_id": [2], "item": [3], "date": ["2024-01-01"], "stars": [4]})
    log = read_log(frame, user="user_id", timestamp=False, rating=False, context=["stars"])
    assert list(log.X.columns) == ["user_id", "item", "stars"]
    assert log.y is None
    assert log.report.unused == ["user", "date"]
    assert read_log(frame, user=1).X["user_id"].tolist() == [2]


@pytest.mark.parametrize(
    ("text", "kwargs", "message"),
    [
        ("", {}, "is empty"),
        ("196,242,3,881250949\n186,302,3,891717742", {}, "has no header line.*columns="),
        ("user,item\n1,2\n3", {"delimiter": ","}, r"record 3 has 1 cells and the header has 2"),
        ("user item\n1 2", {}, "delimiter of log.csv cannot be determined"),
        ("user,item,user\n1,2,3", {}, "several columns named 'user'"),
        ("user,item,rating\n1,2,good", {}, "'rating' holds 'good' in event 1.*rating=False"),
        ("user,item,rating\n1,2,", {}, "'rating' is empty in event 1"),
        ("user,item,date\n1,2,soon", {}, "'soon', which is neither a number nor an ISO date"),
        ("user,item,date\n1,2,2024-01-01\n1,2,2024-01-01T00:00Z", {}, "mixes times with and without a time zone"),
        ("user,item\n", {}, "no events"),
    ],
)
def test_bad_files(text, kwargs, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_log(_csv(tmp_path, text), **kwargs)


def test_a_file_without_header(tmp_path):
    path = _csv(tmp_path, "196\t242\t3\t881250949\n186\t302\t3\t891717742", "u.data")
    log = read_log(path, columns=["user", "item", "rating", "timestamp"])
    assert log.X["user"].tolist() == [196, 186]
    assert read_events(log.X).timestamp.tolist() == [881250949, 891717742]


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        (3, TypeError, "source is a int"),
        ([(1,)], ValueError, r"\[1\] cells"),
        (np.eye(6), ValueError, r"6 cells.*csr_array"),
        ([(1, 2, 1_700_000_000)], ValueError, "may be a time.*or a rating"),
        ({"user": [1], "item": [1, 2]}, ValueError, "different lengths"),
        ("nowhere.csv", FileNotFoundError, "nowhere.csv"),
    ],
)
def test_bad_sources(source, kind, message):
    with pytest.raises(kind, match=message):
        read_log(source)


def test_reports_escape_html():
    frame = pd.DataFrame({"user": [1], "item": ["<b>"], "<script>": ["<i>"]})
    html = read_log(frame)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert repr(read_log(frame)).startswith("Event log")


def test_without_a_frame_library(monkeypatch, tmp_path):
    """The csv module reads, and X is an array in time order."""
    find = importlib.util.find_spec
    hidden = ("pandas", "polars", "pyarrow")
    fake = lambda name, *rest: None if name in hidden else find(name, *rest)  # noqa: E731
    monkeypatch.setattr("skrec.interactions._read_log.find_spec", fake)
    path = _csv(tmp_path, "user,item,time,stars\n1,a,2024-01-02,4\n2,b,2024-01-01,5")
    real_import = builtins.__import__

    def no_frames(name, *args, **kwargs):
        if name.split(".")[0] in hidden:
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_frames)
    log = read_log(path)
    assert log.X.tolist() == [[2, "b"], [1, "a"]]
    assert log.y.tolist() == [5.0, 4.0]
    assert "rows are in time order" in str(log.report)


def test_a_long_file_with_line_breaks_in_quotes(tmp_path):
    text = "user,item,note\n" + "".join(f'{j},x,"one\ntwo; {j}"\n' for j in range(200))
    log = read_log(_csv(tmp_path, text), context=["note"])
    assert len(log) == 200
    assert log.X["note"][7] == "one\ntwo; 7"


def test_a_duckdb_relation():
    """Its columns are collected, the rows in their order; what takes no lazy table says what to pass."""
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.execute("create table orders (customer_id int, product_id text, ordered_at timestamp, note text)")
        rows = [(1, "a", "2024-01-02"), (1, "b", "2024-01-01"), (2, "b", "2024-01-03")]
        connection.executemany("insert into orders values (?, ?, ?, 'x')", rows)
        relation = connection.table("orders")
        log = read_log(relation, context=["note"])
        assert log.X["product_id"].tolist() == ["a", "b", "b"]
        assert log.X["timestamp"].dt.day.tolist() == [2, 1, 3]
        assert log.X.columns.tolist() == ["customer_id", "product_id", "note", "timestamp"]
        assert "source: DuckDBPyRelation" in str(log.report)
        assert ItemKNNRecommender().fit(log.X.drop(columns="note")).items_.tolist() == ["a", "b"]
        with pytest.raises(TypeError, match=r"lazy DuckDBPyRelation; pass X.collect\(\) \(of DuckDB X.df\(\)\)"):
            ItemKNNRecommender().fit(relation)
        with pytest.raises(TypeError, match=r"lazy DuckDBPyRelation; pass item_features=.*table.df\(\) of DuckDB"):
            ItemKNNRecommender().fit(log.X, item_features=relation)


def test_objects_inside_objects_of_json(tmp_path):
    """As events of web pages are logged; ids beyond 2**53 stay whole, and what an object lacks is missing."""
    rows = [
        {"event": "buy", "user": {"id": 12345678901234567}, "product": {"id": 3, "tags": ["new"]}, "at": "2024-01-02"},
        {"event": "view", "user": {"id": 2}, "product": {"id": 5}, "at": "2024-01-03"},
    ]
    path = _csv(tmp_path, "\n".join(map(json.dumps, rows)) + "\n\n", "log.ndjson")
    log = read_log(path, timestamp="at", context=["event"])
    assert log.X.iloc[:, :3].to_numpy().tolist() == [[12345678901234567, 3, "buy"], [2, 5, "view"]]
    assert log.report.unused == ["product.tags"]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "a.jsonl", "a.jsonl is empty; expected one JSON object per event"),
        ('{"user": 1, "item": 2}\n[1, 2]', "a.jsonl", r"line 2, holds \[1, 2\]; expected one object per event"),
        ('{"user": 1, "item": 2}\n{"user": 1', "a.jsonl", "line 2, is not JSON"),
        ("PK", "a.xlsx", r"a spreadsheet; save it as CSV, or pass the frame"),
        ("a", "a.doc", r"ends in '.doc'; expected one of .*'.jsonl'"),
    ],
)
def test_files_that_hold_no_log(text, name, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_log(_csv(tmp_path, text, name))
