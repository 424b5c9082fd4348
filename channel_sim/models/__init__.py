"""Channel models by entry point (`rkd_sc.channels`): one module each, settings and arithmetic."""
