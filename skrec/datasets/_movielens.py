"""MovieLens, from GroupLens or from a folder."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from skrec.datasets._dataset import Dataset
from skrec.datasets._frames import FRAMES, FrameName, make_events, make_features, resolve_frame
from skrec.datasets._home import PathLike, RemoteFile, check_zip, fetch_file, find_folder
from skrec.datasets._movielens_tables import (
    Folder,
    Ratings,
    Tables,
    read_1m,
    read_100k,
    read_csv_release,
    read_ratings,
)

__all__ = ["fetch_movielens"]

BASE_URL = "https://files.grouplens.org/datasets/movielens/"
SPLITS = ("ua", "ub", "u1", "u2", "u3", "u4", "u5")


@dataclass(frozen=True)
class Release:
    """A release: the checksum of its archive, a file that its folder must have, and how it is read."""

    md5: str | None
    landmark: str
    read: Callable[[Folder], Tables]


RELEASES = {
    "100k": Release("0e33842e24a9c977be4e0107933c0723", "u.data", read_100k),
    "1m": Release("c4d9eecfca2ab87c1945afe126590906", "ratings.dat", read_1m),
    "20m": Release("cd245b17a1ae2cc31bb14903e1204af3", "ratings.csv", read_csv_release),
    "25m": Release("6b51fb2759a8657d3bfcbfc42b592ada", "ratings.csv", read_csv_release),
    # This one is remade from time to time, so no checksum lasts; the archive is checked by its own.
    "latest-small": Release(None, "ratings.csv", read_csv_release),
}


@validate_params(
    {
        "variant": [StrOptions(set(RELEASES))],
        "split": [StrOptions(set(SPLITS)), None],
        "download_if_missing": ["boolean"],
        "frame": [StrOptions({"auto", *FRAMES}), None],
    },
    prefer_skip_nested_validation=True,
)
def fetch_movielens(
    variant: str = "100k",
    *,
    split: str | None = None,
    data_home: PathLike | None = None,
    folder: PathLike | None = None,
    download_if_missing: bool = True,
    frame: FrameName = "auto",
) -> Bunch:
    """Load MovieLens: ratings of films, from a folder or downloaded from GroupLens.

    Parameters
    ----------
    variant : {"100k", "1m", "20m", "25m", "latest-small"}, default="100k"
        The release. The archive is checked against the MD5 that GroupLens publishes; "latest-small", which
        is remade from time to time, against its own check sums.
    split : {"ua", "ub", "u1", ..., "u5"} or None, default=None
        An official split of "100k" to give as well; "ua" and "ub" hold out ten ratings a user.
    data_home : path-like, default=None
        Where downloads are kept; see :func:`get_data_home`.
    folder : path-like, default=None
        Read this folder, which holds the files of the release or the release's own folder (``ml-100k``),
        and download nothing. Header lines in the files are skipped.
    download_if_missing : bool, default=True
        Whether to download what is not in ``data_home``.
    frame : {"auto", "pandas", "polars", "pyarrow"} or None, default="auto"
        Kind of the tables; "auto" is the first of these that is installed. With None they are NumPy: X
        holds user and item alone, its rows are in time order, and feature tables are pairs ``(ids, matrix)``.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        X : frame of shape (n_ratings, 3), or ndarray of shape (n_ratings, 2)
            ``user``, ``item`` and ``timestamp`` (seconds since 1970), in time order. Also as
            ``interactions``.
        y : float32 ndarray of shape (n_ratings,)
            Stars.
        timestamp : int64 ndarray of shape (n_ratings,)
            The times of the ratings, also where X is an array.
        item_features : frame
            ``item_id``, ``title`` (without the year), ``year`` (0 where it is missing) and ``genres``
            (one text, comma-separated).
        user_features : frame or None
            ``user_id``, ``age``, ``gender`` and ``occupation``; None for the releases that lack them.
        X_train, X_test, y_train, y_test
            With ``split``: as X and y.
        DESCR : str
            Source and terms.

    Raises
    ------
    OSError
        If there is no such folder or file, no network, or a download came truncated or changed.
    ValueError
        If a file does not hold what its name says, or ``split`` is given for a release other than "100k".

    References
    ----------
    F. Maxwell Harper and Joseph A. Konstan, "The MovieLens Datasets: History and Context", ACM Transactions
    on Interactive Intelligent Systems 5 (4), 2015.

    Examples
    --------
    >>> from skrec.datasets import fetch_movielens
    >>> movies = fetch_movielens(split="ua")  # doctest: +SKIP
    >>> movies.X_train.shape  # doctest: +SKIP
    (90570, 3)
    """
    if split is not None and variant != "100k":
        raise ValueError(f"split={split!r} is of variant='100k'; variant={variant!r} has none: pass split=None.")
    frame_name = resolve_frame(frame)
    release = RELEASES[variant]
    root = _locate(variant, release, folder, data_home, download_if_missing)
    tables = release.read(root)
    X, y = _events(tables.ratings, frame_name)
    data = Dataset(
        X=X,
        interactions=X,
        y=y,
        timestamp=tables.ratings.timestamp,
        item_features=make_features(tables.items, frame_name),
        user_features=None if tables.users is None else make_features(tables.users, frame_name),
        DESCR=f"MovieLens {variant}, collected by GroupLens Research at the University of Minnesota. Terms of use: "
        f"the README of the release, {BASE_URL}ml-{variant}-README",
    )
    if split is not None:
        data.X_train, data.y_train = _events(read_ratings(root / f"{split}.base", "\t"), frame_name)
        data.X_test, data.y_test = _events(read_ratings(root / f"{split}.test", "\t"), frame_name)
    return data


def _locate(
    variant: str, release: Release, folder: PathLike | None, data_home: PathLike | None, download_if_missing: bool
) -> Folder:
    """The folder of the release, on disk or inside its archive."""
    name = f"ml-{variant}"
    if folder is not None:
        return find_folder(folder, name, [[release.landmark]])
    remote = RemoteFile(f"{BASE_URL}{name}.zip", f"movielens/{name}.zip", release.md5)
    hint = (
        f"Without a network: bring {remote.url} here by other means, unpack it, and pass folder=..., the folder that "
        f"holds {release.landmark}."
    )
    archive = fetch_file(remote, data_home, download_if_missing, hint, check_zip)
    return zipfile.Path(archive) / name


def _events(ratings: Ratings, frame: str | None) -> tuple[Any, Any]:
    return make_events(ratings.users, ratings.items, ratings.timestamp, frame), ratings.y
