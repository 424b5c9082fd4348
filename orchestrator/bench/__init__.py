"""Benchmarks: what being distributed costs, each measured beside its wall in the same run."""
