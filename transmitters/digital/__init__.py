"""The transmitting half of the family `digital`."""
