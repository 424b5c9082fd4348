"""Gates of superposed images: what is compared with what, and what an interval lets be said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from docs import tables
from orchestrator.measures.measured_run import with_measures
from orchestrator.plan.codec_facts import codec_facts
from orchestrator.reports import comparison_plots, metric_plot
from orchestrator.reports.comparison import system_curves
from orchestrator.reports.energy import energy_curves, equal_symbols_tables
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.noma_evidence import Condition, ImageCodec, image_codecs
from orchestrator.reports.noma_gates import GATES, gate_tables, gates_table
from orchestrator.reports.picture_page import picture_page
from orchestrator.reports.received_pictures import galleries
from orchestrator.reports.report import markdown_report, write_report
from orchestrator.reports.sides import Side
from orchestrator.reports.theme import LIGHT
from orchestrator.results.run_folder import StoredRun, read_run
from semcom.checkpoints import open_checkpoint
from semcom.tasks.reconstruction import PSNR
from tests.orchestrator.noma_runs import IMAGES, noma_run
from tests.semcom.families.semnoma_codec import make_codec


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("gates")
    noma_run(root / "run", root / "data", seeds=(0, 1))
    return root


@pytest.fixture(scope="module")
def run(place: Path) -> StoredRun:
    return with_measures(read_run(place / "run"))


def gates(codecs: list[ImageCodec]) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in gates_table(codecs).rows}


def psnrs(place: Path, codec: ImageCodec, at: Condition) -> np.ndarray:
    """Mean PSNR of each frame of images in the order of the data set, over all links."""
    per_link = []
    for draw, point in codec.sides[at].draws.items():
        assert point.clusters is not None
        means = PSNR.step * point.clusters.sums["psnr"] / point.clusters.items
        per_link.append(np.roll(means, len(means) // 2 if draw.link == "west" else 0))
    return np.mean(per_link, axis=0)


def test_without_codecs_nothing_is_measured() -> None:
    rows = gates_table([]).rows
    assert len(rows) == len(GATES) == 13
    assert {tuple(row[2:]) for row in rows} == {(NOTHING, NOTHING, "not measured")}


def test_gates_are_met_and_missed(run: StoredRun) -> None:
    found = gates(image_codecs([run]))
    teacher = found["SemNOMA teacher, AWGN, 10 dB: PSNR"]
    assert (teacher[0], teacher[2], teacher[3]) == ("29", "2", "missed")
    assert found["SemNOMA teacher minus KD-SemNOMA, AWGN, 0 to 20 dB: PSNR"][2:] == ["2", "met"]
    assert found["KD-SemNOMA minus SemNOMA, Rayleigh, 0 to 20 dB: PSNR"][2:] == ["2", "met"]
    assert found["SemNOMA minus OMA, AWGN, 0 and 5 dB: PSNR"][2:] == ["2", "met"]
    assert found["LPIPS before diffusion minus LPIPS after it, AWGN, 0 to 10 dB"][3] == "met"
    assert found["LPIPS before cGAN minus LPIPS after it, Rayleigh, 0 to 10 dB"][3] == "missed"
    rising = found["every system, AWGN: PSNR minus PSNR at the next lower SNR"]
    assert rising[2:] == ["8", "met"]  # without refinements and digital baselines


def test_users_of_a_slot_and_a_link_alone_are_paired_image_by_image(
    place: Path, run: StoredRun
) -> None:
    codecs = {codec.name: codec for codec in image_codecs([run])}
    at = Condition("psnr", "awgn", 5.0)
    for one, other in (("semnoma-teacher", "kd-semnoma"), ("semnoma", "oma")):
        value, error = codecs[one].sides[at].less(codecs[other].sides[at])
        differences = psnrs(place, codecs[one], at) - psnrs(place, codecs[other], at)
        assert value == pytest.approx(differences.mean(), abs=1e-4)
        assert error == pytest.approx(differences.std(ddof=1) / len(differences) ** 0.5, rel=1e-3)
        alone = Side(PSNR, codecs[one].sides[at].point)
        assert error < alone.less(Side(PSNR, codecs[other].sides[at].point))[1]


def test_a_gate_that_compares_equals_is_not_distinguishable(tmp_path: Path) -> None:
    equal = {"kd-semnoma": 0.0, "semnoma": 0.0}
    noma_run(tmp_path / "run", tmp_path / "data", gains=equal, perceptual=False)
    found = gates(image_codecs([with_measures(read_run(tmp_path / "run"))]))
    gate = found["KD-SemNOMA minus SemNOMA, AWGN, 0 to 20 dB: PSNR"]
    assert gate[2:] == ["1", "not distinguishable"]
    assert (
        found["LPIPS before diffusion minus LPIPS after it, AWGN, 0 to 10 dB"][3] == "not measured"
    )


def test_two_codecs_of_one_seed_stand_for_neither(run: StoredRun) -> None:
    codecs = image_codecs([run])
    (teacher,) = [c for c in codecs if c.name == "semnoma-teacher"]
    again = ImageCodec("cifar10", teacher.system, "again", "f" * 64, teacher.sides, teacher.facts)
    found = gates([*codecs, again])
    assert found["SemNOMA teacher minus KD-SemNOMA, AWGN, 0 to 20 dB: PSNR"][2] == "1"
    other_set = [ImageCodec("shapes10", *c[1:]) for c in map(tuple_of, codecs)]
    assert gates(other_set)["SemNOMA teacher, AWGN, 10 dB: PSNR"][3] == "not measured"


def tuple_of(codec: ImageCodec) -> tuple:
    return codec.dataset, codec.system, codec.name, codec.digest, codec.sides, codec.facts


def test_reports_show_the_gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for plot, name in ((metric_plot, "metric_png"), (comparison_plots, "systems_png")):
        monkeypatch.setattr(plot, name, lambda *_, **__: bytes(24))
    folder = noma_run(tmp_path / "run", tmp_path / "data", snr_db=(5.0,), perceptual=False)
    assert "Gates of superposed images" in markdown_report([folder], data=tmp_path / "data")
    page = write_report(tmp_path / "out", [folder], data=tmp_path / "data").read_text()
    assert "<h2>Superposed images</h2>" in page
    assert "KD-SemNOMA + diffusion" in page
    assert "k/n per image sent" in page


def test_superposed_users_share_the_energy_and_the_symbols_of_a_slot(run: StoredRun) -> None:
    curves = system_curves([run], PSNR)
    energy = {
        curve.codec: [point.snr_db for point in curve.points]
        for curve in energy_curves(curves, [run])
    }
    assert (
        energy["kd-semnoma"] == energy["oma"] == pytest.approx([24.082, 29.082, 34.082], abs=0.01)
    )
    assert energy["semnoma-teacher"] == pytest.approx([27.093, 32.093, 37.093], abs=0.01)
    heads = {head for table in equal_symbols_tables(curves, [run]) for head in table.head}
    assert "kd-semnoma (512 symbols for 2 users)" in heads
    assert "oma (256 symbols)" in heads


def test_pictures_show_one_user_of_a_group_where_there_are_many_columns(tmp_path: Path) -> None:
    folder = noma_run(tmp_path / "run", tmp_path / "data", snr_db=(10.0,), perceptual=False)
    found = galleries(read_run(folder), tmp_path / "data")
    assert {tuple(gallery.left_out) for gallery in found} == {("west",)}
    assert found[0].series == [
        "alone · SemNOMA teacher", "alone · OMA", "alone · WebP + LDPC", "east · KD-SemNOMA",
        "east · SemNOMA", "east · KD-SemNOMA + diffusion", "east · KD-SemNOMA + cGAN",
    ]  # fmt: skip
    assert "Of a group only its first link is shown, without west." in picture_page(found)


def test_no_two_systems_of_a_figure_share_a_colour(tmp_path: Path) -> None:
    folder = noma_run(tmp_path / "run", tmp_path / "data", snr_db=(10.0,), perceptual=False)
    curves = system_curves([read_run(folder)], PSNR)
    strokes = comparison_plots._system_strokes(curves, LIGHT)
    assert len({each.colour for each in strokes.values()}) == len(strokes) == 7


def test_the_table_of_the_docs_is_made_of_run_folders(
    place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tables, "REPRODUCING", tmp_path)
    assert tables.noma_gates().count("not measured |") == len(GATES)
    (tmp_path / "cifar10-noma").symlink_to(place / "run")
    made = tables.noma_gates()
    assert "| SemNOMA teacher, AWGN, 10 dB: PSNR | 29 |" in made
    assert "| missed |" in made


def test_gates_are_of_cifar10_alone(tmp_path: Path) -> None:
    folder = noma_run(tmp_path / "run", tmp_path / "data", snr_db=(10.0,), perceptual=False)
    run = read_run(folder)
    assert len(gate_tables([run])) == 1
    assert gate_tables([]) == []
    assert run.summary.points[0].images == IMAGES


def test_manifest_of_a_refined_codec_names_the_one_that_it_refines(tmp_path: Path) -> None:
    folder = make_codec(tmp_path / "refined").folder
    assert codec_facts(open_checkpoint(folder)).init_from is None
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["training"] = {"init_from": {"name": "base", "digest": "a" * 64}, "seed": 2}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    facts = codec_facts(open_checkpoint(folder))
    assert (facts.init_from, facts.training_seed) == ("a" * 64, 2)
