"""Prefix codes: symbols 0 .. A - 1 as bit strings of different lengths without separators.

The lengths alone define the code: codewords are canonical, in ascending order of (length, symbol).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint8]  # (B,), of 0 and 1
MAX_LENGTH = 48  # bits of a codeword; even a count of 1 among 2^32 gives fewer


class PrefixCode:
    """The canonical code with the given lengths."""

    def __init__(self, lengths: Sequence[int]) -> None:
        """Build the code.

        Raises:
            ValueError: there is no code with these lengths.
        """
        if not lengths or min(lengths) < 1 or max(lengths) > MAX_LENGTH:
            raise ValueError(f"a codeword has 1 to {MAX_LENGTH} bits")
        self.lengths = tuple(lengths)
        self._codewords = [""] * len(lengths)
        value, before = 0, 0
        for symbol in sorted(range(len(lengths)), key=lambda each: (lengths[each], each)):
            value <<= lengths[symbol] - before
            before = lengths[symbol]
            if value >> before:
                raise ValueError("no prefix code has codewords of these lengths")
            self._codewords[symbol] = f"{value:0{before}b}"
            value += 1
        self._symbols = {codeword: at for at, codeword in enumerate(self._codewords)}
        self._longest = max(lengths)

    def encode(self, symbols: Iterable[int]) -> Bits:
        """Return the concatenated codewords of symbols."""
        text = "".join(map(self._codewords.__getitem__, symbols))
        return np.frombuffer(text.encode("ascii"), dtype=np.uint8) - np.uint8(ord("0"))

    def decode(self, bits: Bits) -> Iterator[int | None]:
        """Yield the symbols of bits, None for invalid bits; ignore an incomplete codeword."""
        text = (bits + np.uint8(ord("0"))).tobytes().decode("ascii")
        start = end = 0
        while end < len(text):
            end += 1
            symbol = self._symbols.get(text[start:end])
            if symbol is not None or end - start == self._longest:
                yield symbol
                start = end


def huffman_lengths(counts: Sequence[int]) -> list[int]:
    """Return the lengths of a Huffman code; of nodes with equal weight, the older one comes first.

    A symbol with count 0 is coded as if it had occurred once.
    """
    if len(counts) < 2:
        return [1] * len(counts)
    # Weight, number of the node, symbols below it.
    nodes = [(max(count, 1), at, [at]) for at, count in enumerate(counts)]
    heapq.heapify(nodes)
    lengths = [0] * len(counts)
    for number in range(len(counts), 2 * len(counts) - 1):
        first, second = heapq.heappop(nodes), heapq.heappop(nodes)
        below = first[2] + second[2]
        for symbol in below:
            lengths[symbol] += 1
        heapq.heappush(nodes, (first[0] + second[0], number, below))
    return lengths
