"""What a run leaves: ledger, summary, manifest, and their verification."""
