"""Sweeps in a live system that is disturbed, and what became of every frame."""
