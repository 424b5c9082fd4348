"""The receiving half of the family `vit`."""
