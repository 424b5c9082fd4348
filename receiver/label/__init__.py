"""The receiving half of the family `label`."""
