"""Scenarios, sweeps, the ledger, checkpoints, reports; starts and watches processes and jobs."""
