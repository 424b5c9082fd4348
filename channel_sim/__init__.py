"""The channel between transmitters and receivers: fading, noise, and nothing it could guess."""
