"""Measures: metrics that are computed after a run from its kept answers, by networks of others."""
