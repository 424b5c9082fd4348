"""The language the processes of RKD-SC speak: messages, wire, sockets, checkpoints, metrics.

No process lives here, and nothing here knows the name of a room.
"""
