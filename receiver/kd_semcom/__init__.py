"""The receiving half of the family `kd_semcom`."""
