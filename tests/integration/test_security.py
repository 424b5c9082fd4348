"""Keys between real processes: the same results with them, and nobody in without one."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
import zmq

from orchestrator.control.key_sets import make_keys, parse_peer, revoke
from semcom.messages import Hello
from semcom.sockets import Endpoint, Poller, free_ports
from semcom.wakeup import Wakeup
from tests.integration import harness
from tests.integration.harness import DEADLINE_S, command, eventually, results_digest
from tests.semcom.keyring import LINK, Keyed

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

TINY: dict[str, object] = {
    "links": {"shapes10": {"dataset": "shapes10", "codec": "shapes10"}},
    "channels": [{"model": "rayleigh"}],
    "snr_db": [0],
    "images": 20,
    "frame_images": 5,
}
DEAD_AUTHENTICATOR = [sys.executable, str(Path(__file__).with_name("dead_authenticator.py"))]


def test_sweep_with_keys_gives_the_digest_of_one_without(workplace: Path, tmp_path: Path) -> None:
    plain = harness.write_scenario(tmp_path / "plain.yaml", **TINY)
    code, printed = command("keys", tmp_path / "keys", "--scenario", plain, cwd=workplace)
    assert code == 0, printed
    security = {"keys": str(tmp_path / "keys")}
    keyed = harness.write_scenario(tmp_path / "keyed.yaml", **TINY, security=security)
    for scenario in (plain, keyed):
        run = harness.start_sweep(scenario, tmp_path / scenario.stem, workplace=workplace)
        printed += run.finish()
    assert shown_in(tmp_path, secrets_of(tmp_path / "keys"), printed) == []
    assert results_digest(tmp_path / "keyed") == results_digest(tmp_path / "plain")
    for scenario, encrypted in ((plain, False), (keyed, True)):
        for log in (tmp_path / scenario.stem / "logs").glob("*[!r].jsonl"):
            lines = [json.loads(line) for line in log.read_text().splitlines()]
            (first,) = [line for line in lines if line["event"] == "started"]
            assert first["encrypted"] is encrypted, log.name


def secrets_of(keys: Path) -> list[str]:
    """All secret keys of a set."""
    found = [yaml.safe_load(path.read_text()) for path in (keys / "secret").iterdir()]
    return [str(content["secret_key"]) for content in found]


def shown_in(folder: Path, secrets: list[str], *more: str) -> list[str]:
    """What shows a secret: files below a folder that are no secret files, and further texts."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "secret"]
    assert files
    texts = {str(path): path.read_bytes().decode("latin-1") for path in files}
    texts |= {f"text {number}": text for number, text in enumerate(more)}
    return [name for name, text in texts.items() if any(secret in text for secret in secrets)]


def test_sweep_with_a_malformed_key_shows_nothing_of_it(workplace: Path, tmp_path: Path) -> None:
    """Neither the terminal nor a log, whoever of the processes it is the key of."""
    keys = tmp_path / "keys"
    make_keys(keys, [parse_peer("shapes10"), parse_peer("receiver:receiver-1")])
    scenario = harness.write_scenario(tmp_path / "s.yaml", **TINY, security={"keys": str(keys)})
    secret = "Th1s-1s-s3cr3t-and-n0b0dy-may-s33-1t-her"
    for holder in ("orchestrator", "shapes10"):
        path = keys / "secret" / f"{holder}.yaml"
        good = path.read_text()
        path.write_text(good.partition("secret_key")[0] + f"secret_key: '{secret}~~'\n")
        arguments = harness.sweep_arguments(scenario, tmp_path / holder)
        code, printed = command(*arguments, cwd=workplace)
        assert code == 2, printed
        assert f"{holder}.yaml: secret_key must be a key of 40 characters" in printed
        assert shown_in(tmp_path, [secret, secret[4:20]], printed) == []
        path.write_text(good)


@dataclass
class Hub:
    """An orchestrator with keys that waits for processes which are started by hand."""

    run: harness.Run
    folder: Path
    control: int
    metrics: int

    def page(self) -> str:
        """Its metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics") as page:
            return str(page.read().decode())

    def refused(self, reason: str) -> float:
        """How often it refused somebody for a reason."""
        name = f'semcom_peers_refused_total{{reason="{reason}"}}'
        lines = self.page().splitlines()
        return float(next(line.split()[-1] for line in lines if line.startswith(name)))

    def logged(self, reason: str) -> list[str]:
        """What it said of refusals for a reason."""
        return [
            str(line["detail"])
            for line in self.run.log("orchestrator")
            if line["event"] == "peer refused" and line["reason"] == reason
        ]

    def ready_for_scrapes(self) -> bool:
        try:
            return self.refused("no_key") >= 0
        except OSError:
            return False


def start_hub(folder: Path, workplace: Path, program: list[str] = harness.SEMCOM) -> Hub:
    keys = folder / "keys"
    make_keys(keys, [parse_peer("shapes10"), parse_peer("shapes100")])
    control, metrics = free_ports(2)
    scenario = harness.write_scenario(
        folder / "hub.yaml",
        **TINY,
        ports={"control": control, "metrics": metrics},
        security={"keys": str(keys)},
    )
    arguments = ("sweep", scenario, "--out", folder / "run", "--no-launch")
    process = harness.start(*arguments, cwd=workplace, program=program)
    return Hub(harness.Run(process, folder / "run"), keys, control, metrics)


@pytest.fixture(scope="module")
def hub(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One that all refusals of this module are made to."""
    hub = start_hub(tmp_path_factory.mktemp("hub"), workplace)
    harness.started.remove(hub.run.process)  # it outlives each test
    try:
        eventually(hub.ready_for_scrapes, "the orchestrator's metrics")
        yield hub
        assert hub.run.process.poll() is None, "refusals disturbed the orchestrator"
        assert shown_in(hub.run.folder, secrets_of(hub.folder), hub.page()) == []
    finally:
        hub.run.process.send_signal(signal.SIGINT)
        hub.run.output()


def dial(control: int, keys: Path | None, folder: Path) -> subprocess.Popen[str]:
    """Start a channel process that dials an orchestrator."""
    uplink, downlink = free_ports(2)
    section: dict[str, object] = {
        "uplink": f"tcp://127.0.0.1:{uplink}",
        "downlink": f"tcp://127.0.0.1:{downlink}",
        "control": f"tcp://127.0.0.1:{control}",
    }
    if keys is not None:
        section["security"] = {"keys": str(keys)}
    config = folder / "processes.yaml"
    config.write_text(yaml.safe_dump({"channel": section}))
    program = [sys.executable, "-m", "channel_sim", "--config", str(config), "--id", "channel"]
    return harness.start(cwd=folder, program=program)


def ended_with_one_error(process: subprocess.Popen[str]) -> str:
    """The one line of a process that was not let in."""
    printed, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 4, printed
    assert "Traceback" not in printed
    (error,) = [line for line in map(json.loads, printed.splitlines()) if line["level"] == "error"]
    assert error["exit_code"] == 4
    return str(error["event"])


def strange_keys(hub: Hub, folder: Path) -> Path:
    """Keys of another set that know the hub's orchestrator."""
    make_keys(folder / "strange", [])
    shutil.copy(hub.folder / "authorized" / "orchestrator.yaml", folder / "strange" / "authorized")
    return folder / "strange"


def no_keys(_hub: Hub, _folder: Path) -> None:
    """Whoever knows of no keys at all."""


def keys_of_another_set(_hub: Hub, folder: Path) -> Path:
    make_keys(folder / "other", [])
    return folder / "other"


def revoked_keys(hub: Hub, folder: Path) -> Path:
    copy = folder / "copy"
    shutil.copytree(hub.folder, copy)
    revoke(hub.folder, "channel")
    return copy


@pytest.mark.parametrize(
    ("keys", "reasons", "words"),
    [
        (strange_keys, ["unknown_key"], "refuses the key"),
        # Whichever end sees first that the other one has no key breaks the connection off.
        (no_keys, ["no_key", "broken_off"], "set security.keys"),
        (keys_of_another_set, ["wrong_server_key"], "interrupted"),
        (revoked_keys, ["revoked_key"], "refuses the key"),
    ],
)
def test_who_is_not_let_in_is_told_counted_and_named(
    keys: Callable[[Hub, Path], Path | None],
    reasons: list[str],
    words: str,
    hub: Hub,
    tmp_path: Path,
) -> None:
    before = sum(map(hub.refused, reasons))
    said = ended_with_one_error(dial(hub.control, keys(hub, tmp_path), tmp_path))
    assert words in said
    assert f"control tcp://127.0.0.1:{hub.control}" in said
    eventually(lambda: sum(map(hub.refused, reasons)) > before, f"{reasons} counted")
    assert any(map(hub.logged, reasons))


def test_peer_that_speaks_for_another_link_is_refused_by_a_running_sweep(hub: Hub) -> None:
    liar = Keyed(hub.folder, LINK).security
    wakeup = Wakeup()
    control = Endpoint.connect(f"tcp://127.0.0.1:{hub.control}", name="control", security=liar)
    hello = Hello(role="transmitter", peer="shapes100", instance="0123456789abcdef")
    try:
        poller = Poller([control], wakeup)
        eventually(lambda: bool(control.send(hello) and poller.wait(0.05)), "an answer")
        eventually(lambda: hub.refused("wrong_peer") > 0, "wrong_peer counted")
    finally:
        control.close()
        wakeup.close()
    assert "with the key of transmitter shapes10" in hub.logged("wrong_peer")[0]


def test_dead_authenticator_ends_the_orchestrator_and_lets_nobody_in(
    workplace: Path, tmp_path: Path
) -> None:
    hub = start_hub(tmp_path, workplace, DEAD_AUTHENTICATOR)
    channel = dial(hub.control, hub.folder, tmp_path)
    printed = hub.run.output()
    assert hub.run.process.returncode == 4, printed
    assert "error: the authenticator has died, so no peer is accepted" in printed
    assert len(hub.logged("dead_authenticator")) == 1
    channel.terminate()
    channel.communicate(timeout=DEADLINE_S)
    assert not [line for line in hub.run.log("orchestrator") if line["level"] == "info"]


def test_peer_of_a_server_whose_authenticator_is_dead_says_so(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    make_keys(keys, [])
    own = yaml.safe_load((keys / "secret" / "orchestrator.yaml").read_text())
    with zmq.Context() as context, context.socket(zmq.ROUTER) as server:
        server.setsockopt(zmq.CURVE_SERVER, 1)
        server.setsockopt(zmq.CURVE_SECRETKEY, own["secret_key"].encode())
        server.setsockopt(zmq.ZAP_DOMAIN, b"semcom")
        server.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        control = server.bind_to_random_port("tcp://127.0.0.1")
        said = ended_with_one_error(dial(control, keys, tmp_path))
    assert "its authenticator does not answer" in said


def test_launched_process_that_is_not_let_in_ends_the_sweep_with_its_line(
    workplace: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "keys"
    make_keys(folder, [parse_peer("shapes10"), parse_peer("receiver:receiver-1")])
    shutil.copy(folder / "authorized" / "channel.yaml", folder / "revoked")
    security = {"keys": str(folder)}
    scenario = harness.write_scenario(tmp_path / "s.yaml", **TINY, security=security)
    arguments = ("sweep", scenario, "--out", tmp_path / "run")
    code, printed = command(*arguments, cwd=workplace)
    assert code == 4, printed
    assert "error: channel channel: control tcp" in printed
    assert "refuses the key" in printed
