"""A sweep: its state without I/O, its service, and one run from scenario to report."""
