"""What the scores of any recommender depend on, by its public contract alone."""

from skrec.inspection._leave_one_out import explain_by_leave_one_out

__all__ = ["explain_by_leave_one_out"]
