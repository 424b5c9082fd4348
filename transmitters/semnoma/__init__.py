"""The transmitting half of the family `semnoma`."""
