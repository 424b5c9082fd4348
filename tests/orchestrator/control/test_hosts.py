"""Hosts of processes that may answer for the same frames, and do not round alike."""

from __future__ import annotations

import pytest

from orchestrator.control import hosts
from orchestrator.control.hosts import Hosts
from semcom.fingerprint import Origin, own_origin
from semcom.messages import HostReport, Role
from tests.orchestrator.parts import rounding


def report(role: Role, peer: str, kernels: str = "AVX2", *, host: str = "a") -> HostReport:
    origin = own_origin({role: rounding(kernels)})
    return HostReport(role=role, peer=peer, origin=origin.model_copy(update={"host": host}))


def told(*reports: HostReport, known: tuple[Origin, ...] = ()) -> list[str]:
    """What is said of each."""
    found = Hosts(known)
    taken = [found.take(each) for each in reports]
    return [found.told_apart(origin) for origin in taken if origin is not None]


def test_receivers_that_do_not_round_alike_are_told_apart_in_one_line() -> None:
    first, second = told(
        report("receiver", "receiver-1"), report("receiver", "receiver-2", "AVX512", host="b")
    )
    assert first.startswith("receiver receiver-1 on host a does not round as receiver receiver-2 ")
    assert "kernels torch AVX512, not AVX2" in second
    assert "\n" not in first + second


@pytest.mark.parametrize(
    "other",
    [
        report("receiver", "receiver-2", host="b"),
        report("transmitter", "cifar10", "AVX512", host="b"),
        report("channel", "channel", "AVX512", host="b"),
    ],
)
def test_hosts_that_answer_for_no_common_frames_or_round_alike_are_not(other: HostReport) -> None:
    assert told(report("receiver", "receiver-1"), report("channel", "channel-2"), other) == [""] * 3


def test_a_link_that_moves_is_told_and_another_link_is_not() -> None:
    here = report("transmitter", "a")
    assert told(here, report("transmitter", "b", "AVX512")) == ["", ""]
    assert all(told(here, report("transmitter", "a", "AVX512", host="b")))


def test_hosts_of_an_earlier_part_of_the_run_are_compared() -> None:
    earlier = report("receiver", "receiver-1").origin
    earlier = earlier.model_copy(update={"process": "receiver receiver-1"})
    (line,) = told(report("receiver", "receiver-1", "AVX512", host="b"), known=(earlier,))
    assert "does not round as receiver receiver-1 on host a did" in line


def test_what_is_known_is_not_told_again_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "MAX_PEERS", 2)
    reports = [report("receiver", f"receiver-{number}") for number in (1, 1, 2, 3)]
    assert len(told(*reports)) == 2
