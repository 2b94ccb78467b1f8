"""The checks of the recommender contract, in the order in which they run."""

from collections.abc import Callable
from typing import Any

from skrec.testing import _model_checks, _request_checks, _table_checks

CHECKS: list[Callable[[Any], None]] = [
    _request_checks.check_shapes_and_order,
    _request_checks.check_nothing_seen_is_recommended,
    _request_checks.check_candidates_and_exclusions,
    _request_checks.check_unknown_users_get_a_list,
    _request_checks.check_kind_of_ids,
    _request_checks.check_k,
    _request_checks.check_padding,
    _request_checks.check_history,
    _request_checks.check_predict_agrees_with_recommend,
    _request_checks.check_predict_is_finite_for_unknown_ids,
    _model_checks.check_refit_starts_from_scratch,
    _model_checks.check_same_seed_same_result,
    _model_checks.check_pickle_round_trip,
    _table_checks.check_text_ids,
    _table_checks.check_frames,
    _table_checks.check_events_are_read_by_name,
    _table_checks.check_timestamp_is_no_feature,
    _table_checks.check_bad_ids,
    _table_checks.check_bad_targets,
    _table_checks.check_feature_tables,
    _table_checks.check_cold_items_are_in_the_catalogue,
    _request_checks.check_similar_items,
    _request_checks.check_item_vectors,
    _request_checks.check_explain,
    _request_checks.check_request,
    _model_checks.check_partial_fit,
    _model_checks.check_sample_weight,
    _model_checks.check_model_selection,
]
