"""What both ends of a link need of torch: blocks, symbols, weights. No whole model, no loss."""
