"""Single items of a run: their answers at every SNR, and their symbols, recomputed exactly."""
