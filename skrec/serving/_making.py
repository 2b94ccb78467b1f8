"""From a recommender, or a file of one, to an application."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from skrec.serving._limits import ServiceLimits
from skrec.utils import Recommender

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from skrec.serving._model import ServedModel


def make_app(
    recommender: Recommender | str | PathLike[str] | Mapping[str, Recommender | str | PathLike[str]],
    *,
    limits: ServiceLimits | None = None,
    version: str | None = None,
    api_key_env: str | None = None,
    cors_origins: Sequence[str] = (),
    allowed_hosts: Sequence[str] = (),
    page: bool = True,
    static: str | PathLike[str] | None = None,
    feedback_log: str | PathLike[str] | None = None,
    replay: Literal["newer", "all", "none"] = "newer",
    reload_every: float = 2.0,
    allow_pickle: bool = False,
    allow_external: bool = False,
    user_list: bool = False,
) -> Starlette:
    """An ASGI application that answers for a recommender, or for several.

    It needs the extra ``serve``. Any ASGI server runs it; :func:`serve` runs it by uvicorn with limits on slow clients.

    Parameters
    ----------
    recommender : fitted recommender or path, or mapping of names to them
        A path is that of a file by :mod:`skops.io`. Each answer names the model and its version; requests choose one of
        several by ``"model"``, and the first answers where they do not. The page shows two side by side. One model is
        called by the name of its file or class.
    limits : ServiceLimits, default=None
        None takes the defaults.
    version : str, default=None
        Version in the answers; None takes the digest of the file, and a random one for a recommender in memory.
    api_key_env : str, default=None
        Name of the environment variable that holds the API key. None means that no key is asked for.
    cors_origins : sequence of str, default=()
        Sites whose pages may call this service, as ``"https://shop.example"``.
    allowed_hosts : sequence of str, default=()
        Values of the header ``Host`` that are answered; none given means any.
    page : bool, default=True
        Whether to serve a page to try the model in, under ``/``.
    static : path, default=None
        A folder of files that are served under ``/`` in place of that page.
    feedback_log : path, default=None
        A SQLite file that ``/feedback`` writes to, made where there is none; None means that there is no ``/feedback``.
        A recommender with ``partial_fit`` learns the events. Several processes may share the file: each learns all.
    replay : {"newer", "all", "none"}, default="newer"
        Which events of the log the model learns at the start, and when a new file is taken over: those that were
        written after its file, all of them, or none. For a recommender in memory, "newer" is none.
    reload_every : float, default=2
        Seconds between two looks for another model file in the place of ``recommender``; 0 means never.
    allow_pickle : bool, default=False
        Whether the file may be of pickle or joblib, which run code of whoever wrote it.
    allow_external : bool, default=False
        Whether a model of a skops file may contact servers, load models and write files; see
        :func:`skrec.persistence.allow_external`.
    user_list : bool, default=False
        Whether ``/users`` lists the ids of users, for whoever may ask; the page offers them to choose from.

    Returns
    -------
    starlette.applications.Starlette

    Raises
    ------
    ValueError
        If the environment variable is not set, the model is not fitted, or ``feedback_log`` is no such log.
    ModelFileError
        If the file cannot be served.
    TypeError
        If ``recommender`` has no ``recommend``.

    Examples
    --------
    >>> from skrec.dummy import PopularRecommender
    >>> from skrec.serving import make_app
    >>> rec = PopularRecommender().fit([["ann", "tea"], ["bob", "rye"]])
    >>> app = make_app(rec, version="1", page=False)
    >>> sorted(route.path for route in app.routes)[:3]
    ['/catalogue', '/converse', '/explain']
    """
    from skrec.serving._app import build_app
    from skrec.serving._feedback_log import FeedbackLog
    from skrec.serving._service import Service

    if replay not in ("newer", "all", "none"):
        raise ValueError(f"replay must be 'newer', 'all' or 'none'; got {replay!r}.")
    limits = ServiceLimits() if limits is None else limits
    key = read_key(api_key_env)
    options = {"allow_pickle": allow_pickle, "allow_external": allow_external}
    files, models = _models_of(recommender, version, options)
    service = Service(models, limits, key, user_list)
    for name, (path, digest) in files.items():
        if reload_every:
            service.watch(name, path, digest, reload_every, **options)
    if feedback_log is not None:
        service.keep_feedback(FeedbackLog(feedback_log), replay)
    if static is None and page:
        static = Path(__file__).parent / "page"
    return build_app(service, cors_origins=cors_origins, allowed_hosts=allowed_hosts, static=static)


def _models_of(
    given: Any, version: str | None, options: dict[str, bool]
) -> tuple[dict[str, tuple[Any, str]], list[ServedModel]]:
    """Path and digest of those that are files, by name, and what is served."""
    from skrec.serving._model import ServedModel
    from skrec.serving._model_file import read_model

    if isinstance(given, Mapping) and not (given and all(isinstance(name, str) for name in given)):
        raise ValueError(f"A mapping of recommenders needs names, which are text; got {list(given)!s:.200}.")
    files, models = {}, []
    for name, one in given.items() if isinstance(given, Mapping) else [(None, given)]:
        if isinstance(one, str | PathLike):
            loaded = read_model(one, **options)
            name = Path(one).stem[:50] if name is None else name
            files[name] = (one, loaded.digest)
            models.append(ServedModel.of(loaded.recommender, version or loaded.digest, loaded.modified, name))
        else:
            models.append(ServedModel.of(one, version or f"memory-{secrets.token_hex(4)}", name=name))
    return files, models


def load_recommender(
    path: str | PathLike[str], *, allow_pickle: bool = False, allow_external: bool = False
) -> Recommender:
    """The fitted recommender of a file, checked as the service checks it.

    Parameters
    ----------
    path : path
        Of a file by :mod:`skops.io`.
    allow_pickle, allow_external : bool, default=False
        As in :func:`make_app`.

    Returns
    -------
    recommender

    Raises
    ------
    ModelFileError
        If there is no file, or it holds no fitted recommender, is damaged, of a newer version, or of a kind that is
        not allowed.
    """
    from skrec.serving._model_file import read_model

    loaded: Recommender = read_model(path, allow_pickle=allow_pickle, allow_external=allow_external).recommender
    return loaded


def read_key(name: str | None) -> bytes | None:
    """The API key from the environment.

    Raises
    ------
    ValueError
        If the variable is not set, or the key is short.
    """
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if len(key) < 8:
        state = "is not set" if not key else "holds fewer than 8 characters"
        raise ValueError(f"The environment variable {name!r} is to hold the API key, and {state}.")
    return key.encode("utf-8")
