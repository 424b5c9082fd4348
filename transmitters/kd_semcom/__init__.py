"""The transmitting half of the family `kd_semcom`."""
