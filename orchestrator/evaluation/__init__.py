"""The answers of a plan, computed in one process."""
