"""Data sets with links, from invented lines in the form of their files."""

import io
import zipfile

import numpy as np
import pytest

from skrec import LinkTable, PopularRecommender, SocialRecommender
from skrec.datasets import _social, fetch_social

LASTFM = {
    "user_artists.dat": "userID\tartistID\tweight\n2\t51\t13883\n2\t52\t7\n3\t51\t1\n",
    "user_friends.dat": "userID\tfriendID\n2\t3\n3\t2\n",
    "artists.dat": "id\tname\turl\tpictureURL\n51\tDuran Duran\thttp://example.org/51\tx\n52\t Сплин\thttp://example.org/52\t\n",
    "tags.dat": "tagID\ttagValue\n1\tmetal\n2\tchanson fran\xe7aise\n",
    "user_taggedartists.dat": "userID\tartistID\ttagID\tday\tmonth\tyear\n"
    "2\t52\t1\t1\t4\t2009\n2\t52\t2\t1\t4\t2009\n3\t52\t2\t1\t4\t2009\n3\t99\t1\t1\t4\t2009\n",
}
CIAO = {
    "movie-ratings.txt": "1,10,7,1,5,2003-11-25\n2,11,8,2,3,2001-01-01\n1,11,8,3,4,2003-11-24\n",
    "trusts.txt": "1,2,1\n2,3,1\n",
}
FILMTRUST = {"ratings.txt": "1 1 2\n1 2 4\n2 2 3.5\n", "trust.txt": "2 9 1\n"}
FILES = {"lastfm": LASTFM, "ciao": CIAO, "filmtrust": FILMTRUST}


def write(folder, files, encodings=(("tags.dat", "latin-1"),)):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode(dict(encodings).get(name, "utf-8")))
    return folder


def test_lastfm(tmp_path):
    data = fetch_social(folder=write(tmp_path, LASTFM))
    assert data.X.to_numpy().tolist() == [[2, 51], [2, 52], [3, 51]]
    assert data.y.tolist() == [13883, 7, 1]
    assert data.user_links.to_numpy().tolist() == [[2, 3], [3, 2]]
    assert data.directed is False
    artists = data.item_features
    assert artists["name"].tolist() == ["Duran Duran", "Сплин"]
    assert artists["tags"].tolist() == ["", "chanson française, metal"]


def test_lastfm_without_tags_and_with_count_lines(tmp_path):
    """A copy of the set has the number of users and of lines in the place of the header."""
    files = {name: text for name, text in LASTFM.items() if "tag" not in name}
    files["user_artists.dat"] = "18800\n3\n2\t51\t13883\n2\t52\t7\n3\t51\t1\n"
    data = fetch_social("lastfm", folder=write(tmp_path / "lastfm", files).parent, frame="polars")
    assert data.X.rows() == [(2, 51), (2, 52), (3, 51)]
    assert data.item_features.columns == ["item_id", "name"]


def test_ciao(tmp_path):
    data = fetch_social("ciao", folder=write(tmp_path, CIAO))
    assert data.X[["user", "item"]].to_numpy().tolist() == [[2, 11], [1, 11], [1, 10]]
    assert np.diff(data.X["timestamp"]).tolist() == [(2 * 365 + 365 - 38) * 86_400, 86_400]
    assert data.y.tolist() == [3, 4, 5]
    assert data.directed is True
    assert data.item_features.to_numpy().tolist() == [[10, 7], [11, 8]]


def test_filmtrust_in_an_archive(tmp_path, monkeypatch):
    """The files lie at the top of the archive, or in one folder."""
    for inside in ("", "filmtrust/"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, text in FILMTRUST.items():
                archive.writestr(inside + name, text)
        home = tmp_path / ("home" + inside.strip("/"))
        (home / "social").mkdir(parents=True)
        (home / "social" / "filmtrust.zip").write_bytes(buffer.getvalue())
        data = fetch_social("filmtrust", data_home=home, frame=None)
        assert data.X.tolist() == [[1, 1], [1, 2], [2, 2]]
        assert data.y.tolist() == [2, 4, 3.5]
        assert data.user_links.tolist() == [[2, 9]]
        assert data.item_features is None


@pytest.mark.parametrize("name", FILES)
def test_what_is_read_fits_a_social_recommender(name, tmp_path):
    data = fetch_social(name, folder=write(tmp_path, FILES[name]))
    links = LinkTable(data.user_links, directed=data.directed)
    rec = SocialRecommender(PopularRecommender(), 0.5).fit(data.X, user_links=links)
    assert len(rec.recommend(k=1).items) == len(set(data.X["user"]))


def test_files_that_are_something_else(tmp_path):
    write(tmp_path, LASTFM)
    with pytest.raises(FileNotFoundError, match=r"must hold movie-ratings\.txt and trusts\.txt"):
        fetch_social("ciao", folder=tmp_path)
    write(tmp_path, LASTFM | {"user_artists.dat": "userID\tartistID\tweight\n2\t51\n"})
    with pytest.raises(ValueError, match=r"user_artists\.dat must have 3 fields a line.* found 2 on line 2"):
        fetch_social(folder=tmp_path)
    write(tmp_path, LASTFM | {"user_artists.dat": "userID\tartistID\tweight\n2\t51\tmany\n"})
    with pytest.raises(ValueError, match=r"must have 3 numbers a line.*many"):
        fetch_social(folder=tmp_path)
    write(tmp_path, LASTFM | {"user_friends.dat": "userID\tfriendID\n"})
    with pytest.raises(ValueError, match=r"user_friends\.dat .* found no lines of data"):
        fetch_social(folder=tmp_path)
    write(tmp_path, CIAO | {"movie-ratings.txt": "1,10,7,1,5,25 Nov 2003\n"})
    with pytest.raises(ValueError, match=r"stars and day \(2003-11-25\)"):
        fetch_social("ciao", folder=tmp_path)


def test_no_network_says_what_to_do(tmp_path, monkeypatch):
    source = _social.SOURCES["filmtrust"]
    moved = _social.Source("http://127.0.0.1:9/filmtrust.zip", source.landmarks, source.read, source.about)
    monkeypatch.setitem(_social.SOURCES, "filmtrust", moved)
    with pytest.raises(OSError, match=r"could not be reached.*pass folder=.*ratings\.txt"):
        fetch_social("filmtrust", data_home=tmp_path)
    with pytest.raises(OSError, match="download_if_missing=False"):
        fetch_social("filmtrust", data_home=tmp_path, download_if_missing=False)
