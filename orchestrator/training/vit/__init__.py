"""Training of T-DeepSC and RTSC: vision transformers end to end through the channel."""
