"""Training of the family `semnoma`: teacher, superposed and orthogonal users."""
