"""Parameters, FLOPs and latency: counted on modules whose numbers are known by hand."""

from __future__ import annotations

import json

import pytest
import torch

from orchestrator.reports.footprints import footprint_tables, iot_estimate_ms, read_footprints
from orchestrator.training.footprint import main, measure, paper_architecture
from receiver.codec import ReceiverCodec
from semcom.errors import ConfigurationError
from semcom.records import Footprint
from tests.orchestrator.codecs import DIM, tiny_architecture, write_codec
from tests.orchestrator.records import fake_footprint, write_footprints
from transmitters.codec import TransmitterCodec


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_flops_of_linear_layers_are_two_per_weight():
    architecture = tiny_architecture(compression_ratio=0.5)
    found = measure(TransmitterCodec(architecture), ReceiverCodec(architecture), repeats=1)
    codeword = DIM // 2
    block = 2 * (2 * DIM * DIM + 2 * DIM * DIM)  # value, output, up and down
    assert found.flops["head"] == 2 * DIM * 4
    assert found.flops["channel_encoder"] == block + 2 * DIM * codeword
    assert found.flops["decoder"] == 2 * block + 2 * codeword * (DIM + 2) + 2 * DIM * DIM
    # The first convolution alone: 3 x 3 x 3 weights at each of 32 x 32 places, 8 times.
    assert found.flops["encoder"] > 2 * 27 * 8 * 32 * 32


def test_a_system_that_sends_its_feature_has_no_channel_encoder():
    architecture = tiny_architecture("jscc-teacher")
    found = measure(TransmitterCodec(architecture), ReceiverCodec(architecture), repeats=1)
    assert found.parameters["channel_encoder"] == found.flops["channel_encoder"] == 0
    assert found.depths is None


def test_published_block_would_hold_idle_projections():
    architecture = tiny_architecture()
    found = measure(TransmitterCodec(architecture), ReceiverCodec(architecture), repeats=1)
    assert found.idle_parameters["channel_encoder"] == 2 * (DIM * DIM + DIM)
    assert found.idle_parameters["decoder"] == 2 * found.idle_parameters["channel_encoder"]


@pytest.mark.parametrize(
    ("dataset", "codeword"), [("cifar10", 102), ("cifar100", 409), ("tiny-imagenet", 460)]
)
def test_paper_architecture_has_the_papers_rate_and_resolution(dataset, codeword):
    architecture = paper_architecture(dataset)
    assert architecture.channel.codeword_dim == codeword
    assert architecture.encoder.input.size == 224


def test_command_writes_what_the_report_reads(tmp_path, one_thread):
    write_codec(tmp_path / "codecs" / "cat", compression_ratio=0.5)
    arguments = ["--codec", tmp_path / "codecs" / "cat", "--out", tmp_path / "out", "--repeats", 3]
    assert main([str(argument) for argument in arguments]) == 0
    record = read_footprints(tmp_path / "out")
    assert record.threads == 1
    (found,) = record.footprints
    assert (found.name, found.dataset, found.teacher_parameters) == ("cat", "tiny", 1_000_000)
    assert found.encode_1.min_ms <= found.encode_1.median_ms <= found.encode_1.max_ms
    assert found.encode_1.runs == 3
    (table,) = footprint_tables([record])
    assert table.head == ["", "cat"]


def test_iot_estimate_is_the_quotient_of_the_processors():
    assert iot_estimate_ms(Footprint.model_validate(fake_footprint())) == pytest.approx(
        4.0 * 871.49 / 32
    )


def test_missing_teacher_is_a_dash(tmp_path):
    folder = write_footprints(tmp_path, fake_footprint(teacher_parameters=None))
    (table,) = footprint_tables([read_footprints(folder)])
    cells = {row[0]: row[1] for row in table.rows}
    assert cells["parameters: teacher"] == "\N{EN DASH}"
    assert cells["parameters saved relative to the teacher"] == "\N{EN DASH}"
    assert cells["parameters: both encoders, with idle ones"].split() == ["2", "525", "312"]


def test_damaged_footprint_is_one_line(tmp_path):
    folder = write_footprints(tmp_path)
    content = json.loads((folder / "footprint.json").read_text())
    content["footprints"][0]["encode_1"]["median_ms"] = -1
    (folder / "footprint.json").write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="median_ms"):
        read_footprints(folder)
