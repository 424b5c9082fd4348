"""Data sets: drawn, copied or downloaded, and written as shards. Read `prepare.py` first."""
