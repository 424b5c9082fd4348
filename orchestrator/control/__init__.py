"""The control socket, and the processes that are started here."""
