"""The live system: links that stream without end, and what can be changed while they do."""
