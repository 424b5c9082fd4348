"""Charts mark what changed about a link, and when."""

from __future__ import annotations

from orchestrator.live.changes import KEPT_S, LinkChanges
from orchestrator.live.requests import ChannelRequest
from tests.orchestrator.live.streaming import LINK, stream_of


def test_first_look_marks_nothing_and_equal_ones_neither():
    changes = LinkChanges()
    for at_s in (0.0, 1.0):
        changes.note(at_s, codec="a", channel="awgn")
    assert changes.rows == []


def test_all_that_changed_at_once_is_one_mark_and_old_ones_go():
    changes = LinkChanges()
    changes.note(0.0, codec="a", channel="awgn")
    changes.note(1.0, codec="b", channel="rayleigh")
    assert changes.rows == [{"uptime_s": 1.0, "what": "codec b, channel rayleigh"}]
    changes.note(2.0 + KEPT_S, codec="b", channel="rayleigh")
    assert changes.rows == []


def test_status_of_a_link_has_its_changes():
    stream = stream_of()
    stream.tick(1.0)
    stream.set_channel(ChannelRequest(link=LINK, snr_db=3.0))
    stream.tick(2.0)
    stream.set_channel(ChannelRequest(link=LINK, model="rayleigh", course="resume"))
    stream.tick(3.0)
    (row,) = stream.status(3.0, heard=[LINK])
    assert [each["what"] for each in row["changes"]] == [
        "SNR held", "channel rayleigh, SNR steps",
    ]  # fmt: skip
