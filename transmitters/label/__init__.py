"""The transmitting half of the family `label`."""
