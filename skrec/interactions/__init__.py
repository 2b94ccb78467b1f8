"""The one place that reads tables: events, histories, feature tables and requests become ids, codes and CSR."""

from skrec.interactions._columns import Column, as_column, column_kind, factorize
from skrec.interactions._context import ContextColumns, check_context, check_names, check_rows
from skrec.interactions._event_template import EventTemplate, check_same_ids
from skrec.interactions._events import (
    TIMESTAMP,
    EventTable,
    check_target_size,
    read_events,
    read_target,
    read_timestamp,
    without_timestamp,
)
from skrec.interactions._feature_matrix import (
    as_unique_ids,
    encode_features,
    ids_in_front,
    one_column_as_list,
    read_fit_features,
    warn_of_missing_rows,
)
from skrec.interactions._feature_table import (
    Features,
    FeatureSource,
    FeatureTable,
    feature_names,
    read_categories,
    read_features,
)
from skrec.interactions._guards import warn_of_ratings_in_array, warn_of_unused_encoder
from skrec.interactions._histories import Histories, check_histories
from skrec.interactions._id_index import IdIndex, check_index, unknown_ids
from skrec.interactions._interactions import Interactions
from skrec.interactions._links import LinkSource, LinkTable, UserLinks, as_whole, check_links, read_links
from skrec.interactions._log_report import ColumnReport, LogReport
from skrec.interactions._log_sources import file_kind
from skrec.interactions._log_text import read_json_table, read_text_table
from skrec.interactions._log_values import unit_of_numbers
from skrec.interactions._plain_input import (
    as_frame,
    check_is_table,
    errors_name,
    plain_array,
    plain_series,
    read_numbers,
    take_rows,
)
from skrec.interactions._queries import (
    Candidates,
    GivenFeatures,
    Queries,
    check_k,
    first_appearance,
    ids_first,
    is_empty,
    list_length,
    read_exclusions,
    read_flag,
    read_history,
    read_items,
    split_history,
)
from skrec.interactions._read_log import EventLog, read_log
from skrec.interactions._recommendations import Recommendations, explained_pairs
from skrec.interactions._recommender_view import RecommenderView, given_options
from skrec.interactions._types import CandidateIds, FeatureMatrix, Frame, History, Ids, Table

__all__ = [
    "EventLog",
    "EventTable",
    "FeatureTable",
    "Features",
    "Histories",
    "IdIndex",
    "Interactions",
    "LinkTable",
    "LogReport",
    "check_target_size",
    "read_events",
    "read_features",
    "read_log",
    "read_target",
    "read_timestamp",
]
