"""Layout of a call of a kernel: 8-byte fields, first those of the call, then its records.

`passage` has a record for each member of each frame, `normals` one for each range of a stream.
"""

from __future__ import annotations

import struct

from semcom.groups import MAX_MEMBERS

# The fields of a call: addresses of arrays, and numbers.
CALL = struct.Struct("=16q")
(
    FRAMES, MEMBERS, CODEWORDS, SYMBOLS, SUPERPOSED, USED, COS_SIN, SENT, POWERS, RECEIVED, CSI,
    MEASURED, SCRATCH_WORDS, SCRATCH_FLOATS, SCRATCH_DOUBLES, SCRATCH_INTS,
) = range(16)  # fmt: skip
CALL_FIELDS = 16

# A record of `passage`: what point and link decide, with the numbers of the codewords between.
KEYS = struct.Struct("=6Q")
ITEMS = struct.Struct("=2q")
POINT = struct.Struct("=3q5d")
(
    NOISE_KEY, _, FADING_KEY, _, CSI_KEY, _, FIRST, IMAGES, FADING, COHERENCE, CSI_KIND,
    NOISE_SCALE, AMPLITUDE, SCATTERED, LINE_OF_SIGHT, CSI_SCALE,
) = range(16)  # fmt: skip
FIELDS = 16
NO_FADING, RAYLEIGH, RICIAN = range(3)
CSI_NONE, CSI_PERFECT, CSI_MISMATCH = range(3)

# A record of `normals`: a key, the first item, how many.
RANGE = struct.Struct("=2Q2q")
RANGE_FIELDS = 4

# Scratch memory: sums of rows are added on stacks of these sizes, enough for 2^16 values.
STACK_INTS, STACK_SUMS = 96, 32
SCRATCH_INTS_NEEDED = STACK_INTS + MAX_MEMBERS  # after the stack: which members fade
