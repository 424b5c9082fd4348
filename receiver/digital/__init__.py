"""The receiving half of the family `digital`."""
