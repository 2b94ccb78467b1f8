"""Numeric inner loops. No estimator lives here, and nothing here knows one."""
