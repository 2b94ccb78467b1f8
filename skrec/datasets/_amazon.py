"""Amazon reviews, from their publishers or from a folder."""

import string
from pathlib import Path

from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from skrec.datasets._amazon_files import (
    Edition,
    Reviews,
    check_gzip,
    read_edition,
    read_histories,
    read_rating_csv,
    read_review_lines,
    read_sequences,
)
from skrec.datasets._dataset import Dataset
from skrec.datasets._frames import FRAMES, FrameName, make_events, make_features, resolve_frame
from skrec.datasets._home import PathLike, RemoteFile, fetch_file, find_folder

__all__ = ["fetch_amazon_reviews"]

_SNAP = "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/"
_UCSD = "https://mcauleylab.ucsd.edu/public_datasets/data/"
EDITIONS = {
    "2014": Edition(
        _SNAP + "reviews_{category}_5.json.gz", _SNAP + "meta_{category}.json.gz", "asin", read_review_lines
    ),
    "2018": Edition(
        _UCSD + "amazon_v2/categoryFilesSmall/{category}_5.json.gz",
        _UCSD + "amazon_v2/metaFiles2/meta_{category}.json.gz",
        "asin",
        read_review_lines,
    ),
    "2023": Edition(
        _UCSD + "amazon_2023/benchmark/5core/rating_only/{category}.csv.gz",
        _UCSD + "amazon_2023/raw/meta_categories/meta_{category}.jsonl.gz",
        "parent_asin",
        read_rating_csv,
    ),
}
_SEQUENCES = ["user_sequence.txt", "item_text.txt"]
_HISTORIES = ["item.json", "valid.csv", "test.csv"]


@validate_params(
    {
        "category": [str],
        "edition": [StrOptions(set(EDITIONS))],
        "tested": [StrOptions({"valid", "test"})],
        "download_if_missing": ["boolean"],
        "frame": [StrOptions({"auto", *FRAMES}), None],
    },
    prefer_skip_nested_validation=True,
)
def fetch_amazon_reviews(
    category: str = "Beauty",
    *,
    edition: str = "2014",
    tested: str = "test",
    data_home: PathLike | None = None,
    folder: PathLike | None = None,
    download_if_missing: bool = True,
    frame: FrameName = "auto",
) -> Bunch:
    """Load Amazon reviews of one category: users and items with five reviews or more, and item texts.

    Parameters
    ----------
    category : str, default="Beauty"
        As the files are named: "Beauty", "Sports_and_Outdoors", "Toys_and_Games", ... The categories differ
        from edition to edition.
    edition : {"2014", "2018", "2023"}, default="2014"
        The 5-core subset of that edition. No checksum is published for any of them: a download is checked
        against its announced length and its own gzip check sum, and its fields as it is read.
    tested : {"valid", "test"}, default="test"
        In a folder of histories and targets: the file whose targets are ``X_test``. They are not in X.
    data_home : path-like, default=None
        Where downloads are kept; see :func:`get_data_home`.
    folder : path-like, default=None
        Read this folder and download nothing. It holds the two files of the edition under the names they
        have at their source, or one of two layouts of research code, whatever the edition:

        - ``user_sequence.txt`` (a user, then items in time order) and ``item_text.txt`` (an item, then words);
        - ``item.json``, ``valid.csv`` and ``test.csv`` (a user, a history in order, a target). X is then made
          of the histories of both files, less the targets of the ``tested`` one.
    download_if_missing : bool, default=True
        Whether to download what is not in ``data_home``.
    frame : {"auto", "pandas", "polars", "pyarrow"} or None, default="auto"
        Kind of the tables; "auto" is the first of these that is installed. With None they are NumPy: X
        holds user and item alone, its rows are in time order, and feature tables are pairs ``(ids, matrix)``.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        X : frame of shape (n_events, 3), or ndarray of shape (n_events, 2)
            ``user``, ``item`` and ``timestamp`` in time order: seconds since 1970, or in the two layouts
            without times the position in the user's sequence, which orders the events of one user and
            compares nothing between users. Also as ``interactions``.
        y : float32 ndarray of shape (n_events,) or None
            Stars; None in the layouts without them.
        timestamp : int64 ndarray of shape (n_events,)
            The same times, also where X is an array.
        item_features : frame
            ``item_id``, ``title``, ``brand``, ``categories`` and ``description``; or ``item_id`` and ``text``.
        X_test : frame of shape (n_targets, 2), or ndarray of that shape
            In a folder of histories and targets: ``user`` and ``item`` of each target.
        DESCR : str
            Source.

    Raises
    ------
    OSError
        If there is no such folder or file, no network, or a download came truncated.
    ValueError
        If a file does not hold what its name says, or ``category`` is no plain name.

    References
    ----------
    Julian McAuley, Christopher Targett, Qinfeng Shi and Anton van den Hengel, "Image-based recommendations on
    styles and substitutes", SIGIR 2015 (2014 edition).

    Jianmo Ni, Jiacheng Li and Julian McAuley, "Justifying recommendations using distantly-labeled reviews and
    fine-grained aspects", EMNLP 2019 (2018 edition).

    Yupeng Hou et al., "Bridging Language and Items for Retrieval and Recommendation", 2024 (2023 edition).

    Examples
    --------
    >>> from skrec.datasets import fetch_amazon_reviews
    >>> beauty = fetch_amazon_reviews("Beauty")  # doctest: +SKIP
    >>> beauty.X.shape  # doctest: +SKIP
    (198502, 3)
    """
    if not category or set(category) - set(string.ascii_letters + string.digits + "_"):
        raise ValueError(
            f"category must be letters, digits and underscores, such as 'Toys_and_Games'; got {category!r}."
        )
    frame_name = resolve_frame(frame)
    reviews = _read(category, EDITIONS[edition], tested, data_home, folder, download_if_missing)
    X = make_events(reviews.users, reviews.items, reviews.timestamp, frame_name)
    source = f"folder {Path(folder).name}" if folder is not None else f"edition of {edition}"
    data = Dataset(
        X=X,
        interactions=X,
        y=reviews.y,
        timestamp=reviews.timestamp,
        item_features=make_features(reviews.columns, frame_name),
        DESCR=f"Amazon reviews, {category if folder is None else 'as found'}, {source}.",
    )
    if reviews.held_out is not None:
        data.X_test = make_events(*reviews.held_out, None, frame_name)
    return data


def _read(
    category: str,
    edition: Edition,
    tested: str,
    data_home: PathLike | None,
    folder: PathLike | None,
    download_if_missing: bool,
) -> Reviews:
    urls = [url.format(category=category) for url in (edition.reviews, edition.items)]
    names = [url.rsplit("/", 1)[1] for url in urls]
    if folder is not None:
        place = find_folder(folder, category, [_SEQUENCES, _HISTORIES, names])
        if all((place / name).is_file() for name in _SEQUENCES):
            return read_sequences(place)
        if all((place / name).is_file() for name in _HISTORIES):
            return read_histories(place, tested)
        return read_edition(place / names[0], place / names[1], edition)
    hint = (
        f"Without a network: bring {' and '.join(urls)} here by other means, and pass folder=..., the folder that "
        "holds both."
    )
    paths = [
        fetch_file(RemoteFile(url, f"amazon_reviews/{name}"), data_home, download_if_missing, hint, check_gzip)
        for url, name in zip(urls, names, strict=True)
    ]
    return read_edition(paths[0], paths[1], edition)
