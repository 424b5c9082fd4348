"""Process files: whatever they hold, a process reads its section or ends with one line and 2."""

from __future__ import annotations

import logging

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.settings import BrokerSettings
from receiver.settings import ReceiverSettings
from semcom.errors import ConfigurationError
from semcom.service import exit_code_of, main
from semcom.settings import read_yaml, section_of, validate
from tests.properties import examples
from transmitters.settings import TransmitterSettings

fuzz = examples(150)
MODELS = {
    "transmitter": TransmitterSettings,
    "channel": BrokerSettings,
    "receiver": ReceiverSettings,
}
GOOD = {
    "transmitter": {"control": "tcp://127.0.0.1:1", "uplink": "tcp://127.0.0.1:2"},
    "channel": {
        "uplink": "tcp://*:2",
        "downlink": "tcp://*:3",
        "static": {
            "run": "bench",
            "points": [{"snr_db": 5.0, "channel": {"model": "rician", "rician_k": 2.0}}],
        },
    },
    "receiver": {"downlink": "tcp://a.b:3", "mode": "throughput", "max_delay_ms": 3},
}


def read(path, role):
    section = section_of(read_yaml(path), role, where=str(path))
    return validate(MODELS[role], section, where=f"{path}: {role}")


@pytest.fixture(scope="module")
def workfile(tmp_path_factory):
    return tmp_path_factory.mktemp("processes") / "p.yaml"


@pytest.mark.parametrize("role", MODELS)
def test_good_sections_are_read(workfile, role):
    workfile.write_text(yaml.safe_dump(GOOD))
    assert read(workfile, role)


@pytest.mark.parametrize(
    ("role", "content", "expected"),
    [
        (
            "receiver",
            {"reciever": GOOD["receiver"]},
            "'reciever' is not a role (did you mean receiver?)",
        ),
        ("receiver", {"channel": GOOD["channel"]}, "section receiver is missing"),
        ("receiver", {"receiver": None}, "p.yaml: receiver: settings: must be a map of settings"),
        (
            "receiver",
            {"receiver": {"downlink": "tcp://a:3", "max_delay_ms": 3}},
            "max_delay_ms has no effect with mode: exact",
        ),
        (
            "receiver",
            {"receiver": {"downlink": "tcp://a:3", "mode": "exact", "max_batch_images": 3}},
            "max_batch_images has no effect",
        ),
        (
            "channel",
            {
                "channel": GOOD["channel"]
                | {
                    "static": {
                        "run": "b",
                        "points": [{"snr_db": 1, "channel": {"model": "awgn", "csi": "none"}}],
                    }
                }
            },
            "p.yaml: channel: static.points.0.channel.csi: has no effect with model: awgn",
        ),
        (
            "channel",
            {"channel": GOOD["channel"] | {"uplink": "tcp://[::1]:5"}},
            "channel: uplink: must be an address tcp://HOST:PORT, got 'tcp://[::1]:5'",
        ),
    ],
)
def test_mistake_is_one_line_in_the_log_and_exit_code_2(
    workfile, role, content, expected, caplog, monkeypatch
):
    workfile.write_text(yaml.safe_dump(content))
    monkeypatch.setattr("semcom.service.log_json", lambda: None)

    def never(*_):
        raise AssertionError("the process was begun")

    assert main(role, MODELS[role], never, ["--config", str(workfile), "--id", role]) == 2
    (record,) = caplog.records
    assert expected in record.getMessage()
    assert "\n" not in record.getMessage()


@fuzz
@given(data=st.data(), role=st.sampled_from(sorted(MODELS)))
def test_any_damage_to_a_process_file_is_read_or_one_line(workfile, data, role):
    text = bytearray(yaml.safe_dump(GOOD).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(text)))
        text[place : place + data.draw(st.integers(0, 6))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b": ", b"\t", b"- ", b"null", b"[", b"010"])
        )
    workfile.write_bytes(bytes(text))
    code = exit_code_of(lambda: one_line(workfile, role), logging.getLogger("quiet"))
    assert code in (0, 2)


def one_line(path, role):
    try:
        read(path, role)
    except ConfigurationError as error:
        short(error)
        raise


def short(error):
    assert "\n" not in str(error)
    assert len(str(error)) < 1500
