"""Building blocks of both ends in torch: blocks, symbols, weights. No whole model, no loss."""
