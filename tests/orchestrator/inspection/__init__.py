"""Tests of single items of a run."""
