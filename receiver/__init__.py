"""The edge server: symbols in, equalised, decoded, classified; the result goes back."""
