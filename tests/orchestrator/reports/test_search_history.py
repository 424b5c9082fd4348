"""Searches on disk: what is damaged is refused, seeds are put together, Table III beside them."""

from __future__ import annotations

import json

import pytest
import torch

from orchestrator.reports.search_history import (
    group_searches,
    parameters_at_full_width,
    read_search,
    search_table,
)
from orchestrator.reports.search_plots import alpha_png, parameters_png
from semcom.architecture import (
    EXPANSION,
    STAGE_PLANES,
    STAGE_STRIDES,
    STEM_CHANNELS,
    TABLE_III_DEPTHS,
)
from semcom.errors import ConfigurationError
from semcom.records import SearchRecord
from tests.orchestrator.records import fake_search, write_search
from transmitters.encoder import make_stage


def record(**settings):
    return SearchRecord.model_validate(fake_search(**settings))


@pytest.mark.parametrize("depths", sorted(set(TABLE_III_DEPTHS.values())))
def test_parameters_of_depths_are_those_of_the_modules(depths):
    channels, total = STEM_CHANNELS[-1], 0
    with torch.device("meta"):
        for planes, stride, depth in zip(STAGE_PLANES, STAGE_STRIDES, depths, strict=True):
            stage = make_stage(channels, planes, stride=stride, depth=depth)
            total += sum(parameter.numel() for parameter in stage.parameters())
            channels = planes * EXPANSION
    assert parameters_at_full_width(depths) == total


def test_reads_what_a_search_wrote(tmp_path):
    found = read_search(write_search(tmp_path, method="darts", seed=2, epochs=4))
    assert (found.method, found.seed, len(found.epochs)) == ("darts", 2, 4)
    assert read_search(tmp_path / "elsewhere") is None


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"method": "random"}, "method"),
        ({"epochs": []}, "epochs"),
        ({"depths": [1, 2, 3]}, "depths"),
        ({"depths": [1, 2, 3, 6]}, "depths"),
        ({"validation_accuracy": 87.0}, "validation_accuracy"),
        ({"seed": None}, "seed"),
        ({"epochs": fake_search(epochs=2)["epochs"][::-1]}, "epochs must increase"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_search_is_one_line_that_names_the_key(damage, says, tmp_path):
    folder = write_search(tmp_path, epochs=2)
    content = json.loads((folder / "search.json").read_text()) | damage
    (folder / "search.json").write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=says) as caught:
        read_search(folder)
    assert "\n" not in str(caught.value)


def test_alphas_that_are_no_numbers_are_refused(tmp_path):
    content = fake_search(epochs=1)
    content["epochs"][0]["alpha"][1][2] = float("nan")
    (tmp_path / "search.json").write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=r"epochs\.0\.alpha\.1\.2"):
        read_search(tmp_path)


def test_seeds_are_put_together_with_their_mean_and_spread():
    groups = group_searches(
        [record(method="darts"), record(seed=1, epochs=3), record(seed=0, epochs=2)]
    )
    assert [(group.method, len(group.records)) for group in groups] == [
        ("kdl-darts", 2),
        ("darts", 1),
    ]
    spread = groups[0].spread(lambda epoch: epoch.alpha[0][0])
    firsts = [found.epochs[0].alpha[0][0] for found in groups[0].records]
    assert spread.epochs_E.tolist() == [0, 1, 2]
    assert spread.mean_E[0] == pytest.approx(sum(firsts) / 2)
    assert (spread.low_E[0], spread.high_E[0]) == (min(firsts), max(firsts))
    assert spread.low_E[2] == spread.high_E[2], "one seed got so far"


def test_one_seed_twice_is_refused():
    with pytest.raises(ConfigurationError, match="KDL-DARTS on cifar10 occurs twice with seed 0"):
        group_searches([record(), record()])


def test_seeds_that_differ_in_more_than_the_seed_are_not_averaged():
    followed = [
        record(seed=seed).model_copy(update={"settings": of}) for seed, of in enumerate("ab")
    ]
    with pytest.raises(
        ConfigurationError, match="different settings or teachers; report them separately"
    ):
        group_searches(followed)
    assert len(group_searches([followed[0], record(seed=1)])) == 1, "older records do not say"


def test_table_shows_selected_depths_beside_table_iii():
    groups = group_searches([record(seed=0), record(seed=1), record(dataset="shapes10")])
    rows = search_table(groups).rows
    assert [row[2] for row in rows] == ["0", "1", "mean of 2", "0"]
    assert rows[0][3] == "(3, 3, 4, 1)"
    assert rows[0][6] == "(3, 4, 4, 1)"
    assert rows[3][6] == rows[3][7] == "\N{EN DASH}", "Table III knows no drawn sets"


def test_draws_searches_of_one_epoch_and_of_one_method():
    groups = group_searches([record(epochs=1, method="darts")])
    for draw in (parameters_png, alpha_png):
        assert draw(groups).startswith(b"\x89PNG")
