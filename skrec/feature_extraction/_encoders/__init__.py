"""What runs an embedding model."""

from skrec.feature_extraction._encoders._embedding import embed
from skrec.feature_extraction._encoders._encoder import Encoder
from skrec.feature_extraction._encoders._endpoint_encoder import EndpointEncoder
from skrec.feature_extraction._encoders._live_models import SharedModelMixin
from skrec.feature_extraction._encoders._loading import packaged_folder
from skrec.feature_extraction._encoders._parameters import ModelParameters
from skrec.feature_extraction._encoders._readability import (
    check_fitted_texts,
    check_later_texts,
    check_vectors,
    readability,
)
from skrec.feature_extraction._encoders._selection import (
    TokenizerAlone,
    select_encoder,
    select_prompt,
    select_tokenizer,
)
from skrec.feature_extraction._encoders._vector_cache import memory_cache
