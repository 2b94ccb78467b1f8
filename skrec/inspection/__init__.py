"""What the scores of any recommender depend on, by its public contract alone; and labels of plots in any language."""

from skrec.inspection._leave_one_out import explain_by_leave_one_out
from skrec.inspection._plot_labels import PlotLabels, plot_labels

__all__ = ["PlotLabels", "explain_by_leave_one_out", "plot_labels"]
