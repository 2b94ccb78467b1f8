"""Data sets with links between users, from their publishers or from a folder."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from skrec.datasets._dataset import Dataset
from skrec.datasets._frames import FRAMES, FrameName, make_events, make_features, make_table, resolve_frame
from skrec.datasets._home import PathLike, RemoteFile, check_zip, fetch_file, find_folder
from skrec.datasets._social_files import Folder, Social, read_ciao, read_filmtrust, read_lastfm

__all__ = ["fetch_social"]

HETREC_URL = "https://files.grouplens.org/datasets/hetrec2011/"
LIBREC_URL = "https://guoguibing.github.io/librec/datasets/"


@dataclass(frozen=True)
class Source:
    """A data set: its archive, the files that its folder must have, how they are read, and where they are from."""

    archive: str
    landmarks: list[str]
    read: Callable[[Folder], Social]
    about: str


SOURCES = {
    "lastfm": Source(
        HETREC_URL + "hetrec2011-lastfm-2k.zip",
        ["user_artists.dat", "user_friends.dat", "artists.dat"],
        read_lastfm,
        "Last.fm, HetRec 2011: listening counts, friends and tags. For non-commercial use.",
    ),
    "ciao": Source(
        LIBREC_URL + "CiaoDVD.zip",
        ["movie-ratings.txt", "trusts.txt"],
        read_ciao,
        "CiaoDVD: ratings of films and whom the raters trust, crawled in December 2013.",
    ),
    "filmtrust": Source(
        LIBREC_URL + "filmtrust.zip",
        ["ratings.txt", "trust.txt"],
        read_filmtrust,
        "FilmTrust: ratings of films and whom the raters trust, crawled in June 2011.",
    ),
}


@validate_params(
    {
        "name": [StrOptions(set(SOURCES))],
        "download_if_missing": ["boolean"],
        "frame": [StrOptions({"auto", *FRAMES}), None],
    },
    prefer_skip_nested_validation=True,
)
def fetch_social(
    name: str = "lastfm",
    *,
    data_home: PathLike | None = None,
    folder: PathLike | None = None,
    download_if_missing: bool = True,
    frame: FrameName = "auto",
) -> Bunch:
    """Load events with links between their users, from a folder or downloaded from the publisher.

    Parameters
    ----------
    name : {"lastfm", "ciao", "filmtrust"}, default="lastfm"
        - "lastfm": how often 1,892 users listened to 17,632 artists, and their 12,717 friendships (HetRec 2011);
        - "ciao": 72,665 ratings of films, and 40,133 directed links of trust (CiaoDVD);
        - "filmtrust": 35,497 ratings of films, and 1,853 directed links of trust.

        No checksum is published for any of them: a download is checked against its announced length and the check
        sums inside the archive, and its fields as it is read.
    data_home : path-like, default=None
        Where downloads are kept; see :func:`get_data_home`.
    folder : path-like, default=None
        Read this folder, which holds the files of the archive, and download nothing.
    download_if_missing : bool, default=True
        Whether to download what is not in ``data_home``.
    frame : {"auto", "pandas", "polars", "pyarrow"} or None, default="auto"
        Kind of the tables; "auto" is the first of these that is installed. With None they are NumPy, and feature
        tables are pairs ``(ids, matrix)``.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        X : frame or ndarray of shape (n_events, 2), for a frame of "ciao" (n_events, 3)
            ``user`` and ``item``, for "ciao" also ``timestamp`` (the day, in seconds since 1970), in time order.
            Also as ``interactions``.
        y : float32 ndarray of shape (n_events,)
            Listening counts; or stars, 1 to 5 in "ciao" and 0.5 to 4 in "filmtrust".
        timestamp : int64 ndarray of shape (n_events,) or None
            The days of "ciao", in seconds since 1970.
        user_links : frame or ndarray of shape (n_links, 2)
            Two users a row: friends, or who trusts whom. Wrap it in a :class:`~skrec.interactions.LinkTable`:
            ``LinkTable(data.user_links, directed=data.directed)``.
        directed : bool
            Whether a link has a direction: False for "lastfm".
        item_features : frame or None
            ``item_id`` with ``name`` and, where the files are there, ``tags`` (the ten most used, as one text) for
            "lastfm"; with ``category`` for "ciao"; None for "filmtrust".
        DESCR : str
            Source.

    Raises
    ------
    OSError
        If there is no such folder or file, no network, or a download came truncated or damaged.
    ValueError
        If a file does not hold what its name says.

    References
    ----------
    Ivan Cantador, Peter Brusilovsky and Tsvi Kuflik, "Second workshop on information heterogeneity and fusion in
    recommender systems", RecSys 2011 (Last.fm).

    Guibing Guo, Jie Zhang, Daniel Thalmann and Neil Yorke-Smith, "ETAF: An extended trust antecedents framework for
    trust prediction", ASONAM 2014 (CiaoDVD).

    Guibing Guo, Jie Zhang and Neil Yorke-Smith, "A novel Bayesian similarity measure for recommender systems", IJCAI
    2013 (FilmTrust).

    Examples
    --------
    >>> from skrec import LinkTable, PopularRecommender, SocialRecommender
    >>> from skrec.datasets import fetch_social
    >>> music = fetch_social("lastfm")  # doctest: +SKIP
    >>> rec = SocialRecommender(PopularRecommender())
    >>> rec.fit(music.X, music.y, user_links=LinkTable(music.user_links))  # doctest: +SKIP
    """
    frame_name = resolve_frame(frame)
    source = SOURCES[name]
    found = source.read(_locate(name, source, folder, data_home, download_if_missing))
    X = make_events(found.users, found.items, found.timestamp, frame_name)
    directed = found.links.shape[1] == 3
    links = found.links[found.links[:, 2] > 0, :2] if directed else found.links
    return Dataset(
        X=X,
        interactions=X,
        y=found.y,
        timestamp=found.timestamp,
        user_links=_links(links, frame_name),
        directed=directed,
        item_features=None if found.columns is None else make_features(found.columns, frame_name),
        DESCR=f"{source.about} {source.archive}",
    )


def _locate(
    name: str, source: Source, folder: PathLike | None, data_home: PathLike | None, download_if_missing: bool
) -> Folder:
    """The folder of the files, on disk or inside their archive."""
    if folder is not None:
        return find_folder(folder, name, [source.landmarks])
    remote = RemoteFile(source.archive, f"social/{source.archive.rsplit('/', 1)[1]}")
    hint = (
        f"Without a network: bring {remote.url} here by other means, unpack it, and pass folder=..., the folder that "
        f"holds {source.landmarks[0]}."
    )
    return _root(zipfile.Path(fetch_file(remote, data_home, download_if_missing, hint, check_zip)), source.landmarks[0])


def _root(archive: zipfile.Path, landmark: str) -> zipfile.Path:
    """The archive, or the one folder in it that holds the files."""
    places = [archive, *(place for place in archive.iterdir() if place.is_dir())]
    found = next((place for place in places if (place / landmark).exists()), None)
    if found is None:
        raise ValueError(f"{archive} has no file {landmark}.")
    return found


def _links(links: np.ndarray, frame: str | None) -> object:
    return links if frame is None else make_table({"user": links[:, 0], "friend": links[:, 1]}, frame)
