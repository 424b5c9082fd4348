"""Benchmarks: what being distributed costs, each measured beside its lower bound in the same run."""
