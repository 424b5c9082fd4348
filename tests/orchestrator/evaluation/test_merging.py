"""Parts become one evaluation: the digest of a single machine, whatever the cut, order and repeats.

The ledgers are made up; no network runs.
"""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.evaluation import merging
from orchestrator.evaluation.merging import MissingFramesError, merge_parts
from orchestrator.evaluation.part_choice import Part
from orchestrator.results.ledger import Ledger
from orchestrator.results.run_folder import open_ledger, read_run
from orchestrator.results.verify import verify_run
from semcom.errors import AccountingError, ConfigurationError
from semcom.kept_answers import keep_answer
from semcom.locks import exclusive
from tests.orchestrator.ledgers import fake_plan, fake_result, fill_ledger
from tests.orchestrator.parts import (
    fake_origin,
    keys_of,
    keys_of_part,
    part_plan,
    write_part,
    write_parts,
)
from tests.properties import examples

PLAN = part_plan()
KEYS = keys_of(PLAN)
EXAMPLES = 8  # each writes several ledgers


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """No time is spent on pictures."""
    monkeypatch.setattr(merging, "write_report", lambda folder, sources: folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The digests of the same answers on a single machine."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    merge_parts(folder, [write_part(folder.with_name("all"), PLAN, KEYS, sealed=True)], runs=folder)
    return verify_run(folder).digests


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Three parts, to be copied."""
    root = tmp_path_factory.mktemp("parts") / "parts"
    write_parts(root, PLAN, 3)
    return root


@pytest.fixture
def parts(stored, tmp_path):
    return Path(shutil.copytree(stored, tmp_path / "parts"))


def merged(out, *named, **options):
    return merge_parts(out, list(named), runs=out.parent / "runs", **options)


class TestProperties:
    @examples(EXAMPLES)
    @given(
        pieces=st.lists(st.integers(0, 3), min_size=len(KEYS), max_size=len(KEYS)),
        repeats=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(KEYS)), max_size=8),
        order=st.permutations(range(4)),
    )
    def test_any_split_with_repeats_in_any_order_gives_one_digest(
        self, whole, tmp_path_factory, pieces, repeats, order
    ):
        root = tmp_path_factory.mktemp("split")
        held = {
            piece: [key for key, where in zip(KEYS, pieces, strict=True) if where == piece]
            + [key for where, key in repeats if where == piece]
            for piece in range(4)
        }
        folders = [write_part(root / str(each), PLAN, held[each]) for each in order]
        outcome = merged(root / "out", *folders)
        assert outcome.results_digest == whole.results
        found = verify_run(root / "out")
        assert found.digests[:2] == whole[:2]
        assert found.sealed

    @examples(EXAMPLES)
    @given(lost=st.sets(st.sampled_from(KEYS), min_size=1), order=st.permutations(range(3)))
    def test_what_is_missing_is_listed_and_its_commands_compute_it(
        self, whole, tmp_path_factory, lost, order
    ):
        root = tmp_path_factory.mktemp("gaps")
        folders = [
            write_part(
                root / part.folder,
                PLAN,
                [key for key in keys_of_part(PLAN, number + 1, 3) if key not in lost],
                part=part,
            )
            for number in order
            for part in [Part(number + 1, 3)]
        ]
        with pytest.raises(MissingFramesError, match=f"{len(lost)} of {len(KEYS)} frames"):
            merged_with_partners(root / "out", folders, lost)
        try:
            merged(root / "out", *folders)
        except MissingFramesError as error:
            told = [shlex.split(gap.command) for gap in error.gaps]
            asked = [words[words.index("--part") + 1] for words in told]
            lacking = {
                f"{number}/3" for number in (1, 2, 3) if lost & set(keys_of_part(PLAN, number, 3))
            }
            assert set(asked) == lacking
            assert len(asked) == len(lacking)
            for words in told:
                assert words[:2] == ["semcom", "evaluate"]
                assert Path(words[words.index("--out") + 1]) == root
            units = [unit for gap in error.gaps for unit in gap.units]
            listed = {
                (link, point, frame)
                for unit in units
                for link in unit.links
                for point in unit.points
                for frame in range(unit.first, unit.stop)
            }
            assert lost <= listed
        rest = write_part(root / "rest", PLAN, lost)
        assert merged(root / "out", rest).results_digest == whole.results

    @examples(EXAMPLES)
    @given(
        key=st.sampled_from(KEYS),
        holders=st.permutations(range(3)),
        order=st.permutations(range(4)),
    )
    def test_an_answer_that_differs_ends_it_whatever_the_order(
        self, tmp_path_factory, key, holders, order
    ):
        root = tmp_path_factory.mktemp("conflict")
        link, point, frame = key
        other = fake_result(PLAN, link, point, frame).answer
        folders = [
            write_part(root / f"p{each}", PLAN, keys_of_part(PLAN, each + 1, 3)) for each in holders
        ]
        altered = write_part(
            root / "altered", PLAN, [key], changes={key: {"predictions": flipped(other)}}
        )
        chosen = [[*folders, altered][each] for each in order]
        with pytest.raises(AccountingError, match="has two answers") as caught:
            merged(root / "out", *chosen)
        assert caught.value.exit_code == 8
        assert str(altered) in str(caught.value)
        assert not (root / "out").exists(), "nothing has been merged"


def flipped(answer: bytes) -> bytes:
    """Another answer of as many images."""
    return bytes([answer[0] ^ 1, *answer[1:]])


def merged_with_partners(out, folders, lost):
    """Merge, and see that the error counts frames of a group with those that they meet."""
    try:
        merged(out, *folders)
    except MissingFramesError as error:
        listed = sum(unit.frames for gap in error.gaps for unit in gap.units)
        assert listed >= len(lost)
        text = f"{len(lost)} of {PLAN.total_frames} frames"
        raise MissingFramesError(text, error.gaps, error.plan) from error


class TestParts:
    def test_merged_run_says_who_computed_what(self, parts, whole, tmp_path):
        outcome = merged(tmp_path / "out", parts)
        assert outcome.results_digest == whole.results
        manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
        assert manifest["kind"] == "evaluation"
        assert manifest["results_digest"] == whole.results
        by = manifest["computed_by"]
        assert [(each["part"], each["host"]) for each in by] == [
            (f"{number}/3", f"host-{number}") for number in (1, 2, 3)
        ]
        assert sum(each["frames"] for each in by) == len(KEYS)
        assert list(manifest["fingerprints"]) == [by[0]["fingerprint"]]
        assert manifest["fingerprints"][by[0]["fingerprint"]]["kernels"] == {"torch": "AVX512"}
        assert manifest["command"] == ["evaluate", "--scenario", "/somewhere/s.yaml"]

    def test_merging_again_changes_nothing(self, parts, tmp_path):
        merged(tmp_path / "out", parts)
        out, files = tmp_path / "out", ("manifest.json", "results.csv")
        digests, before = verify_run(out).digests, [(out / each).read_bytes() for each in files]
        merged(out, parts / "part-2-of-3", parts)
        assert [(out / each).read_bytes() for each in files] == before
        assert verify_run(out).digests == digests

    def test_a_part_that_comes_later_completes_what_was_merged(self, parts, whole, tmp_path):
        with pytest.raises(MissingFramesError) as caught:
            merged(tmp_path / "out", parts / "part-1-of-3", parts / "part-3-of-3")
        (gap,) = caught.value.gaps
        assert "--part 2/3" in gap.command
        assert gap.lines(PLAN)[0].startswith("missing: frame")
        assert read_run(tmp_path / "out").summary.incomplete
        outcome = merged(tmp_path / "out", parts / "part-2-of-3")
        assert outcome.results_digest == whole.results
        manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
        assert {each["host"] for each in manifest["computed_by"]} == {"host-1", "host-2", "host-3"}

    def test_what_was_stopped_as_a_whole_is_merged_and_gone_on_with(self, whole, tmp_path):
        stopped = write_part(tmp_path / "stopped", PLAN, KEYS[:20])
        with pytest.raises(MissingFramesError) as caught:
            merged(tmp_path / "out", stopped)
        (gap,) = caught.value.gaps
        wanted = ["semcom", "evaluate", "--scenario", "/somewhere/s.yaml", "--out"]
        assert shlex.split(gap.command) == [*wanted, str(tmp_path / "out")]
        rest = write_part(tmp_path / "rest", PLAN, KEYS[20:])
        assert merged(tmp_path / "out", rest, stopped).results_digest == whole.results

    def test_kept_answers_come_along(self, tmp_path):
        for number in (1, 2):
            part = Part(number, 2)
            folder = tmp_path / part.folder
            keys = keys_of_part(PLAN, number, 2)
            write_part(folder, PLAN, keys, part=part, sealed=True, keep_answers=True)
            for link, point, frame in keys:
                answer = fake_result(PLAN, link, point, frame).answer
                keep_answer(folder / "answers", answer, link=link, point=point, frame=frame)
        merged(tmp_path / "out", tmp_path / "part-1-of-2", tmp_path / "part-2-of-2")
        assert verify_run(tmp_path / "out").kept
        shutil.rmtree(tmp_path / "part-2-of-2" / "answers")
        with pytest.raises(ConfigurationError, match="kept no answers"):
            merged(tmp_path / "other", tmp_path / "part-1-of-2", tmp_path / "part-2-of-2")


class TestRefusals:
    def test_parts_of_another_plan(self, parts, tmp_path):
        other = part_plan(seeds=(1,))
        folder = write_part(tmp_path / "other", other, keys_of(other)[:3])
        with pytest.raises(ConfigurationError, match="part of another plan"):
            merged(tmp_path / "out", parts, folder)
        assert not (tmp_path / "out").exists()

    def test_hosts_that_round_differently_are_told_apart_and_mixed_on_request(
        self, whole, tmp_path
    ):
        for number, kernels in ((1, "AVX512"), (2, "AVX2")):
            part = Part(number, 2)
            origin = fake_origin(f"host-{number}", part=str(part), kernels=kernels)
            keys = keys_of_part(PLAN, number, 2)
            write_part(tmp_path / part.folder, PLAN, keys, part=part, origin=origin)
        folders = [tmp_path / "part-1-of-2", tmp_path / "part-2-of-2"]
        with pytest.raises(ConfigurationError) as caught:
            merged(tmp_path / "out", *folders)
        assert str(caught.value).startswith(
            "part 2/2, host host-2 does not round as part 1/2, host host-1 did "
            "(kernels torch AVX2, not AVX512): "
        )
        assert "--mixed" in str(caught.value)
        assert merged(tmp_path / "out", *folders, mixed=True).results_digest == whole.results
        manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
        assert len(manifest["fingerprints"]) == 2

    def test_two_answers_of_hosts_that_round_differently_say_so(self, tmp_path):
        key = KEYS[0]
        answer = flipped(fake_result(PLAN, *key).answer)
        one = write_part(tmp_path / "one", PLAN, KEYS)
        origin = fake_origin("b", kernels="AVX2")
        two = write_part(
            tmp_path / "two", PLAN, [key], origin=origin, changes={key: {"predictions": answer}}
        )
        with pytest.raises(AccountingError, match=r"round differently.*AVX2, not AVX512"):
            merged(tmp_path / "out", one, two, mixed=True)

    def test_a_part_that_does_not_say_how_it_rounds(self, parts, tmp_path):
        path = parts / "part-1-of-3" / "ledger.sqlite"
        ledger = Ledger(path, read_run(path.parent).summary.plan)
        with ledger.transaction():
            for table in ("origins", "computed", "seals"):
                ledger._database.execute(f"DROP TABLE {table}")
        ledger.close()
        with pytest.raises(ConfigurationError, match="does not state its host's rounding"):
            merged(tmp_path / "out", parts)
        merged(tmp_path / "out", parts, mixed=True)

    def test_a_part_that_a_process_is_filling(self, parts, tmp_path):
        folder = parts / "part-2-of-3"
        with (
            exclusive(folder / "lock", "it", folder=folder),
            pytest.raises(ConfigurationError, match="part-2-of-3 is in use"),
        ):
            merged(tmp_path / "out", parts)

    def test_a_part_that_was_altered(self, parts, tmp_path):
        path = parts / "part-2-of-3" / "ledger.sqlite"
        ledger = Ledger(path, read_run(path.parent).summary.plan)
        with ledger.transaction():
            ledger._database.execute("UPDATE computed SET stop = stop + 1 WHERE point = 0")
        ledger.close()
        with pytest.raises(AccountingError, match="altered"):
            merged(tmp_path / "out", parts)

    def test_a_run_through_processes_and_a_folder_of_nothing(self, parts, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(ConfigurationError, match="holds neither a part"):
            merged(tmp_path / "out", tmp_path / "empty")
        run = fill_ledger(tmp_path / "run", PLAN)
        (run / "manifest.json").write_text("{}")
        with pytest.raises(ConfigurationError, match="a run through processes"):
            merged(tmp_path / "out", run)
        (run / "manifest.json").unlink()
        with pytest.raises(ConfigurationError, match=r"has no manifest\.json"):
            merged(tmp_path / "out", run)
        with pytest.raises(ConfigurationError, match="name its parts"):
            merged(parts / "part-1-of-3", parts / "part-1-of-3")

    def test_an_evaluation_of_something_else_in_its_place(self, parts, tmp_path):
        other = fake_plan()
        write_part(tmp_path / "out", part_plan(seeds=(1,)), [])
        with pytest.raises(ConfigurationError, match="another plan"):
            merged(tmp_path / "out", parts)
        fill_ledger(tmp_path / "run", other)
        with pytest.raises(ConfigurationError, match="a run through processes, not an evaluation"):
            merged(tmp_path / "run", parts)

    @pytest.mark.parametrize("content", [{"codecs": 3}, {"scenario": []}, {"kind": 5}])
    def test_a_manifest_of_somebody_else_is_one_line(self, tmp_path, content):
        part = write_part(tmp_path / "part", PLAN, KEYS[:2])
        path = part / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | content))
        with pytest.raises(ConfigurationError) as caught:
            merged(tmp_path / "out", part)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists()


class TestCommand:
    def test_missing_frames_are_lines_that_can_be_pasted(self, parts, tmp_path):
        shutil.rmtree(parts / "part-2-of-3")
        words = ["merge", tmp_path / "out", parts, "--runs", tmp_path / "runs"]
        done = CliRunner().invoke(app, list(map(str, words)))
        assert isinstance(done.exception, MissingFramesError)
        assert "missing: frame" in done.output
        (line,) = [line for line in done.output.splitlines() if line.startswith("compute with: ")]
        told = shlex.split(line.removeprefix("compute with: "))
        assert told[told.index("--part") + 1] == "2/3"
        assert told[told.index("--out") + 1] == str(parts)
        assert "then merge again with: semcom merge" in str(done.exception)

    def test_merged_evaluation_is_printed_and_verified(self, parts, whole, tmp_path):
        words = ["merge", tmp_path / "out", parts, "--runs", tmp_path / "runs"]
        done = CliRunner().invoke(app, list(map(str, words)))
        assert done.exit_code == 0, done.output
        assert f"results digest {whole.results}" in done.output
        done = CliRunner().invoke(app, ["verify", str(tmp_path / "out")])
        assert done.exit_code == 0, done.output


def test_a_part_is_no_run_to_verify_and_says_what_to_do(parts):
    with pytest.raises(AccountingError, match="semcom merge") as caught:
        verify_run(parts / "part-1-of-3")
    assert "part 1 of 3" in str(caught.value)


def test_origins_of_a_merged_ledger_are_those_of_its_parts(parts, tmp_path):
    merged(tmp_path / "out", parts)
    with open_ledger(tmp_path / "out") as ledger:
        spans = ledger.origins.computed()
        assert sum(span.stop - span.first for each in spans.values() for span in each) == len(KEYS)
