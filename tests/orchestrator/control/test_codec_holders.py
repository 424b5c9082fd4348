"""What receivers hold and refuse, each for itself."""

from __future__ import annotations

import pytest

from orchestrator.control.codec_holders import CodecHolders
from semcom.messages import CodecReport, Hello

A, B = "a" * 64, "b" * 64


def hello(peer: str, *codecs: str, life: int = 0) -> Hello:
    return Hello(role="receiver", peer=peer, instance=f"{life:016x}", codecs=list(codecs))


def refusal(digest: str, why: str = "damaged") -> CodecReport:
    return CodecReport(codec="x", digest=digest, loaded=False, detail=why)


@pytest.fixture
def holders() -> CodecHolders:
    """Two receivers; the second holds A and both were asked for A and B."""
    found = CodecHolders()
    for each in (hello("one"), hello("two", A)):
        found.hello(each)
        found.offers(each, {A: "first", B: "second"})
    return found


def test_offers_are_what_a_receiver_neither_has_nor_refused(holders):
    holders.report("one", refusal(B))
    wanted = {A: "first", B: "second"}
    assert [each.digest for each in holders.offers(hello("one"), wanted)] == [A]
    assert [each.digest for each in holders.offers(hello("two", A), wanted)] == [B]


def test_codec_is_loaded_if_any_receiver_has_it_and_decided_if_all_have_spoken(holders):
    assert (holders.loaded(A), holders.decided(A)) == (True, False)
    holders.report("one", refusal(A))
    assert (holders.loaded(A), holders.decided(A)) == (True, True)
    assert holders.why_refused(A) == "damaged"
    assert not holders.decided(B)


def test_new_life_may_take_what_the_last_one_refused(holders):
    holders.report("one", refusal(A))
    holders.hello(hello("one"))
    assert holders.refused == {A: "damaged"}
    holders.hello(hello("one", life=1))
    assert holders.refused == {}


def test_what_a_receiver_held_goes_with_it(holders):
    holders.gone("two")
    assert (holders.loaded(A), holders.peers) == (False, ["one"])


def test_report_of_an_unknown_receiver_or_of_what_nobody_asked_for_changes_nothing(holders):
    holders.report("three", refusal(A))
    holders.report("one", refusal("c" * 64))
    assert holders.refused == {}


def test_refusals_are_told_once_each_and_forgotten_when_it_is_asked_for_again(holders):
    holders.report("one", refusal(B, "no memory"))
    holders.report("two", refusal(B, "damaged"))
    assert holders.why_refused(B) == "damaged; no memory"
    holders.forget_refusals(B)
    assert holders.why_refused(B) == ""
