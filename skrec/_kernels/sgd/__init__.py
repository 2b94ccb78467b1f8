"""Stochastic solvers."""
