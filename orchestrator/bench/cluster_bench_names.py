"""Columns of `semcom bench run cluster` that docs/cluster.md reckons with; known without Ray."""

UNIT_FRAMES = 500  # of one transaction, as a unit comes back
FRAME_IMAGES = 100
RECORDED = f"ledger, frames/s in units of {UNIT_FRAMES}"
BYTES = f"ledger, bytes of a frame of {FRAME_IMAGES} images"
