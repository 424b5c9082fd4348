"""The page of pictures: which images are chosen, what is said of them, and what it takes."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

import rkd_sc
from orchestrator.measures import measuring
from orchestrator.reports.picture_page import PAGE, picture_page
from orchestrator.reports.received_pictures import galleries, spread
from orchestrator.reports.report import album_of, write_report
from orchestrator.results.run_folder import read_run
from semcom.errors import AccountingError, ConfigurationError
from semcom.shards import Shard
from semcom.tasks.reconstruction import PSNR, mean_squared_errors, psnr_db
from tests.orchestrator.kept_runs import kept_images, kept_sentences
from tests.orchestrator.measures.stand_ins import SameProcess, write_lpips

IMAGES = 7


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run of two links that begin with other images, each with two codecs."""
    folder = tmp_path_factory.mktemp("pictures")
    kept_images(
        folder / "run", folder / "data", links=("left", "right"), codecs=("first", "second")
    )
    return folder


def psnr_of(place, link, point):
    """PSNR of each image of the data set."""
    offset = {"left": 0, "right": 2}[link]
    answers = rkd_sc.load_run(place / "run").answers(link, point)
    images = Shard(place / "data" / "tiles", "test").images_NHWC
    return psnr_db(mean_squared_errors(np.roll(answers, offset, axis=0), images))


def test_images_are_ranked_by_the_mean_psnr_of_all_series(place):
    (gallery,) = galleries(read_run(place / "run"), place / "data")
    assert gallery.series == [
        "left · first", "left · second", "right · first", "right · second",
    ]  # fmt: skip
    assert [each.snr_db for each in gallery.snapshots] == [0.0, 10.0]
    series = [(link, codec) for link in ("left", "right") for codec in (0, 2)]
    for at, snapshot in enumerate(gallery.snapshots):
        psnr_SN = np.stack([psnr_of(place, link, codec + at) for link, codec in series])
        order = np.argsort(psnr_SN.mean(axis=0))
        assert [row.rank for row in snapshot.rows] == ["worst", "median", "best"]
        assert [row.index for row in snapshot.rows] == [order[0], order[3], order[6]]
        np.testing.assert_allclose(snapshot.means, psnr_SN.mean(axis=1))
        for row in snapshot.rows:
            found = [each.values[PSNR] for each in row.received]
            np.testing.assert_allclose(found, psnr_SN[:, row.index])


def test_every_series_shows_the_image_that_was_sent(place):
    (gallery,) = galleries(read_run(place / "run"), place / "data")
    images = Shard(place / "data" / "tiles", "test").images_NHWC
    for row in gallery.snapshots[1].rows:
        np.testing.assert_array_equal(row.sent, images[row.index])
        for each in row.received:
            error = mean_squared_errors(each.image[None], row.sent[None])[0]
            assert psnr_db(np.array([error]))[0] == pytest.approx(each.values[PSNR])
            assert error < 40.0**2  # of the same image: others differ by more
    ladder = gallery.ladder
    assert ladder.snrs_db == [0.0, 10.0]
    assert ladder.index == gallery.snapshots[1].rows[1].index
    for low, high in ladder.received:
        assert low.values[PSNR] < high.values[PSNR]


def test_chosen_snrs_are_shown_and_others_refused(place):
    run = read_run(place / "run")
    (gallery,) = galleries(run, place / "data", [10.0])
    assert [each.snr_db for each in gallery.snapshots] == [10.0]
    with pytest.raises(ConfigurationError, match="has no pictures at these SNRs"):
        galleries(run, place / "data", [3.0])
    assert galleries(run, place / "none", [3.0]) == []


@pytest.mark.parametrize(
    ("snrs_db", "shown"),
    [([], []), ([0.0], [0.0]), ([0.0, 5.0, 9.0], [0.0, 5.0, 9.0]), (range(11), [0, 5, 10])],
)
def test_three_snrs_are_shown_at_most(snrs_db, shown):
    assert spread(snrs_db) == shown


def test_page_loads_nothing_and_has_every_image(place):
    found = galleries(read_run(place / "run"), place / "data")
    page = picture_page(found)
    assert not re.search(r"<script|https?:|src=\"(?!data:image/png)", page)
    assert page.count("<img") == 2 * 3 * (1 + 4) + 4 * (1 + 2)
    assert page.count('class="first"') == 2 * 3
    assert "prefers-color-scheme: dark" in page
    assert "SSIM" in page
    assert "LPIPS" not in page
    assert "Links of a group" not in page


def test_users_of_one_channel_are_said_to_meet_in_slots(tmp_path):
    links = ("east", "west")
    kept_images(tmp_path / "run", tmp_path / "data", links=links, snr_db=(5.0,), grouped=True)
    (gallery,) = galleries(read_run(tmp_path / "run"), tmp_path / "data")
    assert gallery.series == ["east", "west"]
    assert "Links of a group send the same images in different slots" in picture_page([gallery])


def test_lpips_is_said_where_it_was_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "JobProcess", SameProcess)
    kept_images(tmp_path / "run", tmp_path / "data", snr_db=(5.0,))
    write_lpips(tmp_path / "data")
    run = rkd_sc.load_run(tmp_path / "run").measure("lpips", data=tmp_path / "data")
    page = picture_page(galleries(read_run(run.folder), tmp_path / "data"))
    assert "(LPIPS: lower is better)" in page
    assert page.count("LPIPS 0.") == 3
    report = write_report(tmp_path / "out", [run.folder], data=tmp_path / "data")
    assert album_of(report) == tmp_path / "out" / PAGE
    assert "<h3>tiles: LPIPS</h3>" in report.read_text()
    assert {"systems-lpips.png", PAGE} <= {each.name for each in report.parent.iterdir()}


def test_without_the_data_set_the_report_says_what_pictures_take(place, tmp_path):
    report = write_report(tmp_path / "out", [place / "run"], data=tmp_path / "none")
    assert "Pictures need the data sets: name their folder with --data" in report.read_text()
    assert not (tmp_path / "out" / PAGE).exists()
    assert album_of(report) is None


def test_runs_without_kept_images_have_no_pictures(place, tmp_path):
    shutil.copytree(place / "run", tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "answers")
    assert galleries(read_run(tmp_path / "bare"), place / "data") == []
    kept_sentences(tmp_path / "said", tmp_path / "data")
    assert galleries(read_run(tmp_path / "said"), tmp_path / "data") == []


def test_an_altered_answer_is_no_picture(place, tmp_path):
    shutil.copytree(place / "run", tmp_path / "run")
    path = tmp_path / "run" / "answers" / "left" / "0-0.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(AccountingError, match="holds an answer that differs from the recorded one"):
        galleries(read_run(tmp_path / "run"), place / "data")
