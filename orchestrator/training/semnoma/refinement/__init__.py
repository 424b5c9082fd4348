"""Training of what refines the images of a codec of the family `semnoma`."""
