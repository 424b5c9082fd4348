"""The transmitting half of the family `vit`."""
