"""Benchmarks: what being distributed costs, each beside its lower bound from the same run."""
