"""The timeout after which an unanswered frame is sent again (RFC 6298). Pure."""

from __future__ import annotations

import math

FIRST_TIMEOUT_S = 2.0
MIN_TIMEOUT_S, MAX_TIMEOUT_S = 1.0, 60.0


class RetransmissionTimeout:
    """The timeout of a link: four smoothed round trips, doubled while answers are overdue."""

    def __init__(self) -> None:
        self.seconds = FIRST_TIMEOUT_S
        self._smoothed_round_trip_s: float | None = None
        self._doubled_s = -math.inf  # time at which it was last doubled

    def measure(self, round_trip_s: float) -> None:
        """Measure the round trip of a frame that was sent only once."""
        before = self._smoothed_round_trip_s
        smoothed = round_trip_s if before is None else 0.875 * before + 0.125 * round_trip_s
        self._smoothed_round_trip_s = smoothed
        self.seconds = min(MAX_TIMEOUT_S, max(MIN_TIMEOUT_S, 4.0 * smoothed))

    def expired(self, last_sent_s: float, now_s: float) -> None:
        """Double the timeout after frames, the last of which was sent at `last_sent_s`, timed out.

        It is doubled once for all frames sent with the same timeout, and kept until a frame that
        was sent only once is answered (RFC 6298, section 5); otherwise a link slower than the
        timeout would send everything twice forever.
        """
        if last_sent_s >= self._doubled_s:
            self.seconds = min(MAX_TIMEOUT_S, 2.0 * self.seconds)
            self._doubled_s = now_s
