"""The commands: main, and a module for each group of them."""
