"""The receiving half of the family `semnoma`."""
