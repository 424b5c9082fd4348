"""The files of a run: ledger, summary, manifest, and their verification."""
