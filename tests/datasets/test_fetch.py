"""Downloads come whole or not at all; folders are read in each layout they come in."""

import gzip
import hashlib
import io
import json
import os
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skrec.datasets import _amazon, _movielens, clear_data_home, fetch_amazon_reviews, fetch_movielens, get_data_home

U_DATA = ["2\t10\t3\t200", "1\t10\t5\t100", "1\t20\t4\t300"]
U_ITEM = [
    "10|Toy Story (1995)|01-Jan-1995||http://example.org|0|0|0|1|1|1" + "|0" * 13,
    "20|Délicatessen (1991)|01-Jan-1991||http://example.org|0|0|0|0|0|1" + "|0" * 12 + "|1",
    "30|unknown||||1" + "|0" * 18,
]
U_USER = ["1|24|M|technician|85711", "2|53|F|other|94043"]
HEADERS = {
    "u.data": "user-id\titem-id\trating\ttimestamp",
    "u.item": "movie id | movie title | release date | video release date |IMDb URL " + "| genre" * 19,
    "u.user": "user-id|age|gender|occupation|zip code",
}


def write_100k(folder, headers=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in {"u.data": U_DATA, "u.item": U_ITEM, "u.user": U_USER}.items():
        text = "\n".join(([HEADERS[name]] if headers else []) + lines) + "\n"
        (folder / name).write_bytes(text.encode("latin-1"))
    (folder / "ua.base").write_text("\n".join(U_DATA[:2]) + "\n")
    (folder / "ua.test").write_text(U_DATA[2] + "\n")
    return folder


def zipped(folder, name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, f"{name}/{path.name}")
    return buffer.getvalue()


@pytest.fixture
def server():
    """Serves what is put into its ``files``; a negative ``cut`` breaks the answer off that early."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.server.files.get(self.path.lstrip("/"))
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) + self.server.cut])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.files, httpd.cut = {}, 0
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield httpd
        httpd.shutdown()
        thread.join()


@pytest.fixture
def movielens(server, monkeypatch, tmp_path):
    """A tiny release at the address of the real one, with its own checksum published."""
    body = zipped(write_100k(tmp_path / "source"), "ml-100k")
    server.files["ml-100k.zip"] = body
    monkeypatch.setattr(_movielens, "BASE_URL", f"http://127.0.0.1:{server.server_port}/")
    release = replace(_movielens.RELEASES["100k"], md5=hashlib.md5(body).hexdigest())
    monkeypatch.setitem(_movielens.RELEASES, "100k", release)
    return server


def check_100k(data):
    np.testing.assert_array_equal(data.X.to_numpy(), [[1, 10, 100], [2, 10, 200], [1, 20, 300]])
    np.testing.assert_array_equal(data.y, [5, 3, 4])
    films = data.item_features
    assert films["title"].tolist() == ["Toy Story", "Délicatessen", "unknown"]
    assert films["year"].tolist() == [1995, 1991, 0]
    assert films["genres"].tolist() == ["Animation, Children's, Comedy", "Comedy, Western", "unknown"]
    assert data.user_features.to_numpy().tolist() == [[1, 24, "M", "technician"], [2, 53, "F", "other"]]


def files_under(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def test_download_is_kept_and_used_again(movielens, tmp_path):
    home = tmp_path / "home"
    check_100k(fetch_movielens(data_home=home))
    movielens.files.clear()
    check_100k(fetch_movielens(data_home=home))
    assert [path.name for path in files_under(home)] == ["ml-100k.zip"]


def test_changed_download_leaves_nothing(movielens, tmp_path):
    movielens.files["ml-100k.zip"] += b"changed"
    with pytest.raises(OSError, match=r"MD5 .* is published; nothing was kept"):
        fetch_movielens(data_home=tmp_path / "home")
    assert not files_under(tmp_path / "home")


def test_truncated_download_leaves_nothing(movielens, tmp_path):
    movielens.cut = -10
    with pytest.raises(OSError, match=r"ml-100k\.zip"):
        fetch_movielens(data_home=tmp_path / "home")
    assert not files_under(tmp_path / "home")


def test_damaged_archive_without_published_checksum(movielens, monkeypatch, tmp_path):
    monkeypatch.setitem(_movielens.RELEASES, "100k", replace(_movielens.RELEASES["100k"], md5=None))
    movielens.files["ml-100k.zip"] = b"<html>please log in</html>"
    with pytest.raises(OSError, match=r"not the file that was expected .*nothing was kept"):
        fetch_movielens(data_home=tmp_path / "home")
    assert not files_under(tmp_path / "home")


def test_no_such_file_at_the_server(movielens, tmp_path):
    movielens.files.clear()
    with pytest.raises(OSError, match=r"ml-100k.zip answered 404.*pass folder="):
        fetch_movielens(data_home=tmp_path / "home")


def test_no_network_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(_movielens, "BASE_URL", "http://127.0.0.1:9/")
    with pytest.raises(OSError, match=r"http://127.0.0.1:9/ml-100k.zip could not be reached.*pass folder=.*u.data"):
        fetch_movielens(data_home=tmp_path)


def test_no_download_unless_wanted(tmp_path):
    with pytest.raises(OSError, match=r"download_if_missing=False.*ml-100k.zip.*pass folder="):
        fetch_movielens(data_home=tmp_path, download_if_missing=False)


def test_data_home(monkeypatch, tmp_path):
    monkeypatch.setenv("SKREC_DATA_HOME", str(tmp_path / "mine"))
    assert get_data_home() == str(tmp_path / "mine")
    assert (tmp_path / "mine").is_dir()
    clear_data_home()
    assert not (tmp_path / "mine").exists()
    monkeypatch.delenv("SKREC_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert get_data_home() == str(tmp_path / "skrec_data")


@pytest.mark.parametrize("headers", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_movielens_100k_folder(tmp_path, headers, inside):
    folder = write_100k(tmp_path / "ml-100k", headers)
    check_100k(fetch_movielens(folder=tmp_path if not inside else folder))


def test_official_split(tmp_path):
    data = fetch_movielens(folder=write_100k(tmp_path), split="ua")
    assert data.X_train.to_numpy().tolist() == [[1, 10, 100], [2, 10, 200]]
    assert data.X_test.to_numpy().tolist() == [[1, 20, 300]]
    assert data.y_train.tolist() == [5, 3]
    assert data.y_test.tolist() == [4]
    with pytest.raises(ValueError, match="variant='1m' has none"):
        fetch_movielens("1m", folder=tmp_path, split="ua")


def test_movielens_1m_folder(tmp_path):
    (tmp_path / "ratings.dat").write_text("1::10::5::100\n2::10::3::50\n")
    (tmp_path / "movies.dat").write_bytes("10::Léon: The Professional (1994)::Crime|Drama\n".encode("latin-1"))
    (tmp_path / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    data = fetch_movielens("1m", folder=tmp_path)
    assert data.X.to_numpy().tolist() == [[2, 10, 50], [1, 10, 100]]
    assert data.item_features.to_numpy().tolist() == [[10, "Léon: The Professional", 1994, "Crime, Drama"]]
    assert data.user_features["occupation"].tolist() == ["K-12 student", "self-employed"]


def test_movielens_csv_folder(tmp_path):
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,10,4.5,100\n")
    films = 'movieId,title,genres\n10,"City of Lost Children, The (1995)",Adventure|Drama\n11,X,(no genres listed)\n'
    (tmp_path / "movies.csv").write_text(films)
    data = fetch_movielens("latest-small", folder=tmp_path)
    assert data.y.tolist() == [4.5]
    assert data.user_features is None
    assert data.item_features["title"].tolist() == ["City of Lost Children, The", "X"]
    assert data.item_features["genres"].tolist() == ["Adventure, Drama", ""]


def test_other_frames(tmp_path):
    folder = write_100k(tmp_path)
    assert isinstance(fetch_movielens(folder=folder, frame="polars").X, pl.DataFrame)
    data = fetch_movielens(folder=folder, frame=None)
    np.testing.assert_array_equal(data.X, [[1, 10], [2, 10], [1, 20]])
    np.testing.assert_array_equal(data.timestamp, [100, 200, 300])


def test_wrong_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must hold u.data, itself or in 'ml-100k'; it holds nothing"):
        fetch_movielens(folder=tmp_path)
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        fetch_movielens(folder=tmp_path / "missing")


@pytest.mark.parametrize("text", ["", HEADERS["u.data"], "1\t2\t3\n", "1\t2\tgood\t4\n"])
def test_broken_ratings(tmp_path, text):
    (write_100k(tmp_path) / "u.data").write_text(text)
    with pytest.raises(ValueError, match=r"u\.data does not hold lines of user, item, rating and time"):
        fetch_movielens(folder=tmp_path)


def test_broken_items(tmp_path):
    (write_100k(tmp_path) / "u.item").write_text("10|Toy Story\n")
    with pytest.raises(ValueError, match=r"u\.item must have 24 fields a line"):
        fetch_movielens(folder=tmp_path)


# Amazon reviews ------------------------------------------------------------------------------------

REVIEWS = [
    {"reviewerID": "A2", "asin": "B1", "overall": 3.0, "unixReviewTime": 200},
    {"reviewerID": "A1", "asin": "B2", "overall": 5.0, "unixReviewTime": 100},
]
META_2014 = (
    "{'asin': 'B1', 'title': \"Clay 'n mud mask\", 'brand': 'Aztec', 'categories': [['Beauty'], ['Beauty', 'Masks']]}\n"
    "{'asin': 'B9', 'title': 'nobody reviewed it'}\n"
)
META_2018 = [{"asin": "B1", "title": "Mask", "brand": "Aztec", "category": ["Beauty"], "description": ["One.", "Two."]}]


def json_lines(rows):
    return gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())


def amazon_files(edition):
    if edition == "2014":
        return {
            "reviews_Beauty_5.json.gz": json_lines(REVIEWS),
            "meta_Beauty.json.gz": gzip.compress(META_2014.encode()),
        }
    if edition == "2018":
        return {"Beauty_5.json.gz": json_lines(REVIEWS), "meta_Beauty.json.gz": json_lines(META_2018)}
    rows = "user_id,parent_asin,rating,timestamp\nA2,B1,3.0,200999\nA1,B2,5.0,100000\n"
    meta = [{"parent_asin": "B1", "title": "Mask", "store": "Aztec", "categories": ["Beauty", "Masks"]}]
    return {"Beauty.csv.gz": gzip.compress(rows.encode()), "meta_Beauty.jsonl.gz": json_lines(meta)}


@pytest.mark.parametrize("edition", ["2014", "2018", "2023"])
def test_amazon_editions(tmp_path, edition):
    for name, body in amazon_files(edition).items():
        (tmp_path / name).write_bytes(body)
    data = fetch_amazon_reviews("Beauty", edition=edition, folder=tmp_path)
    assert data.X.to_numpy().tolist() == [["A1", "B2", 100], ["A2", "B1", 200]]
    assert data.y.tolist() == [5, 3]
    items = data.item_features.set_index("item_id")
    assert items.index.tolist() == ["B1", "B2"]
    assert "ask" in items.loc["B1", "title"]
    assert items.loc["B1", "brand"] == "Aztec"
    assert items.loc["B1", "categories"] == ("Beauty" if edition == "2018" else "Beauty, Masks")
    assert items.loc["B1", "description"] == ("One., Two." if edition == "2018" else "")
    assert (items.loc["B2"] == "").all()


@pytest.fixture
def amazon(server, monkeypatch):
    server.files.update(amazon_files("2014"))
    root = f"http://127.0.0.1:{server.server_port}/"
    edition = replace(
        _amazon.EDITIONS["2014"],
        reviews=root + "reviews_{category}_5.json.gz",
        items=root + "meta_{category}.json.gz",
    )
    monkeypatch.setitem(_amazon.EDITIONS, "2014", edition)
    return server


def test_amazon_download(amazon, tmp_path):
    for _ in range(2):
        assert len(fetch_amazon_reviews("Beauty", data_home=tmp_path).X) == 2
        amazon.files.clear()
    assert len(files_under(tmp_path)) == 2


def test_amazon_damaged_download_leaves_nothing(amazon, tmp_path):
    amazon.files["reviews_Beauty_5.json.gz"] = amazon.files["reviews_Beauty_5.json.gz"][:-9]
    with pytest.raises(OSError, match=r"reviews_Beauty_5.json.gz is not the file that was expected.*pass folder="):
        fetch_amazon_reviews("Beauty", data_home=tmp_path)
    assert not files_under(tmp_path)


def test_amazon_sequences(tmp_path):
    (tmp_path / "user_sequence.txt").write_text("A1 B2 B1\nA2 B3\n")
    (tmp_path / "item_text.txt").write_text("B1 raw mango butter\nB2 blush\nB3\n")
    data = fetch_amazon_reviews(folder=tmp_path)
    assert data.X.to_numpy().tolist() == [["A1", "B2", 0], ["A2", "B3", 0], ["A1", "B1", 1]]
    assert data.y is None
    assert data.item_features["text"].tolist() == ["raw mango butter", "blush", ""]


def test_amazon_histories(tmp_path):
    header = "user_id,history_item_title,item_title,history_item_id,item_id\n"
    (tmp_path / "valid.csv").write_text(header + """A1,"['a']",b,[0],1\n""")
    (tmp_path / "test.csv").write_text(
        header + """A1,"['a', 'b']",c,"[0, 1]",2\nA1,x,d,"[0, 1, 2]",3\nA2,x,a,[3],0\n"""
    )
    items = {str(i): {"title": f"t{i}", "description": "['One.' 'x']", "brand": "", "categories": ""} for i in range(4)}
    (tmp_path / "item.json").write_text(json.dumps(items))
    data = fetch_amazon_reviews(folder=tmp_path)
    assert data.X.sort_values(["user", "timestamp"]).to_numpy().tolist() == [["A1", 0, 0], ["A1", 1, 1], ["A2", 3, 0]]
    assert data.X_test.to_numpy().tolist() == [["A1", 2], ["A1", 3], ["A2", 0]]
    valid = fetch_amazon_reviews(folder=tmp_path, tested="valid")
    assert valid.X_test.to_numpy().tolist() == [["A1", 1]]
    assert not ((valid.X["user"] == "A1") & (valid.X["item"] == 1)).any()


def test_amazon_bad_input(tmp_path):
    with pytest.raises(ValueError, match="category must be letters"):
        fetch_amazon_reviews("../Beauty")
    with pytest.raises(FileNotFoundError, match=r"user_sequence.txt and item_text.txt or item.json and .* or reviews_"):
        fetch_amazon_reviews(folder=tmp_path)
    for name, body in amazon_files("2014").items():
        (tmp_path / name).write_bytes(body)
    (tmp_path / "reviews_Beauty_5.json.gz").write_bytes(json_lines([{"user": "A1"}]))
    with pytest.raises(ValueError, match="does not hold reviews as expected"):
        fetch_amazon_reviews(folder=tmp_path)


# Real data -----------------------------------------------------------------------------------------

REAL = os.environ.get("SKREC_DATA")


def real(name):
    folder = Path(REAL or "") / name
    return pytest.mark.skipif(
        REAL is None or not folder.is_dir(), reason=f"{name} is not here: set SKREC_DATA to the folder that holds it"
    )


@real("ml-100k")
def test_real_movielens():
    data = fetch_movielens(folder=REAL, split="ua")
    assert data.X.shape == (100_000, 3)
    assert data.X["user"].nunique() == len(data.user_features) == 943
    assert data.X["item"].nunique() == len(data.item_features) == 1682
    assert len(data.X_train) == 90_570
    assert (data.X_test["user"].value_counts() == 10).all()
    both = pd.concat([data.X_train, data.X_test]).sort_values(["user", "item"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(both, data.X.sort_values(["user", "item"]).reset_index(drop=True))


@real("amazon-beauty")
def test_real_beauty():
    data = fetch_amazon_reviews(folder=Path(REAL) / "amazon-beauty")
    assert data.X.shape == (198_502, 3)
    assert data.X["user"].nunique() == 22_363
    assert set(data.X["item"]) == set(data.item_features["item_id"])
    assert len(data.item_features) == 12_101


@real("amazon-industrial")
def test_real_industrial():
    data = fetch_amazon_reviews(folder=Path(REAL) / "amazon-industrial")
    assert len(data.item_features) == 3_686
    pairs = data.X[["user", "item"]].apply(tuple, axis=1)
    assert not set(pairs) & set(data.X_test.apply(tuple, axis=1))
