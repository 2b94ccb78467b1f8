"""What runs an embedding model."""

from skrec.feature_extraction._encoders._embedding import embed
from skrec.feature_extraction._encoders._encoder import Encoder, LocalEncoder, ObjectEncoder, is_sentence_transformer
from skrec.feature_extraction._encoders._endpoint_encoder import EndpointEncoder
from skrec.feature_extraction._encoders._loading import LoadSettings
from skrec.feature_extraction._encoders._vector_cache import memory_cache
