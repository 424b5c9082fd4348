"""Parts of an evaluation made up of frames, without networks: ledgers, manifests, fingerprints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.evaluation.part_choice import Part
from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.plan.groups import PlannedGroup
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario
from orchestrator.plan.units import units_of_part
from orchestrator.results.ledger import Ledger
from orchestrator.results.origins import Computed, stated_origins
from orchestrator.results.run_end import seal_part
from orchestrator.results.run_manifest import write_run_manifest
from semcom.fingerprint import EngineRounding, Fingerprint, Origin
from semcom.tasks.classification import Classification
from tests.orchestrator.ledgers import fake_codec, fake_link, fake_plan, fake_result, fake_tasks
from tests.orchestrator.records import fake_facts

Key = tuple[str, int, int]  # link, point, frame
UNSENT = dict.fromkeys(
    ("encode_ms", "channel_ms", "batch_wait_ms", "decode_ms", "round_trip_ms"), 0.0
)
WORDS = ["evaluate", "--scenario", "/somewhere/s.yaml"]


def part_plan(**changes: Any) -> Plan:
    """A link by itself with two codecs, and two links that meet; frames of 40 images."""
    links = {
        "alone": fake_link("shapes10", fake_codec("one"), fake_codec("two"), images=270),
        "east": fake_link("shapes10", fake_codec("pair"), images=150),
        "west": fake_link("shapes10", fake_codec("pair"), images=150),
    }
    plan = fake_plan(links, run="split.01234567", snr_db=(0.0, 5.0), frame_images=40, **changes)
    group = PlannedGroup(kind="superposition", links=["east", "west"], powers=[0.5, 0.5])
    offset = links["west"].model_copy(update={"offset": 75})
    update = {"groups": {"cell": group}, "links": {**links, "west": offset}}
    return plan.model_copy(update=update)


def rounding(kernels: str, engine: str = "torch", threads: int = 1) -> EngineRounding:
    """Return a made-up rounding of an engine with such kernels."""
    return EngineRounding(engine, "1.0", kernels, "ab" * 32, threads=threads)


def fake_origin(host: str = "a", *, part: str | None = None, kernels: str = "AVX512") -> Origin:
    """Who computed, and how it rounds."""
    fingerprint = Fingerprint(
        machine="x86_64",
        device="cpu",
        kernels={"torch": kernels},
        threads={"transmitter": 1, "receiver": 1},
        versions={"torch": "2.15.0", "numpy": "2.3.0"},
        rounding={"torch on 1": "ab" * 32},
    )
    return Origin(host=host, processor="A fast one", part=part, fingerprint=fingerprint)


def keys_of(plan: Plan) -> list[Key]:
    """Every answer that is planned."""
    return [
        (link, point, frame)
        for link in plan.links
        for point in plan.points_of(link)
        for frame in range(plan.frames(link))
    ]


def keys_of_part(plan: Plan, number: int, of: int) -> list[Key]:
    """Every answer of a part."""
    return [
        (link, point, frame)
        for unit in units_of_part(plan, number, of)
        for link in unit.links
        for point in unit.points
        for frame in range(unit.first, unit.stop)
    ]


def scenario_of_parts(plan: Plan, **changes: Any) -> Scenario:
    """A scenario that comes to the plan."""
    specs = [point.spec for point in plan.points]
    content = {
        "name": plan.name,
        "links": {
            name: {"dataset": link.dataset, "codecs": [codec.name for codec in link.codecs]}
            for name, link in plan.links.items()
        },
        "groups": {name: {"links": group.links} for name, group in plan.groups.items()},
        "channels": [channel.model_dump() for channel in dict.fromkeys(s.channel for s in specs)],
        "snr_db": list(dict.fromkeys(spec.snr_db for spec in specs)),
        "frame_images": plan.frame_images,
    }
    return Scenario.model_validate(content | changes)


def facts_of_parts(plan: Plan) -> list[CodecFacts]:
    """What is known of its codecs."""
    codecs = {codec.name: link for link in plan.links.values() for codec in link.codecs}
    return [
        CodecFacts.model_validate(
            fake_facts(name, link.dataset) | {"task": Classification(classes=10)}
        )
        for name, link in codecs.items()
    ]


def write_part(
    folder: Path,
    plan: Plan,
    keys: Iterable[Key],
    *,
    part: Part | None = None,
    origin: Origin | None = None,
    changes: Mapping[Key, Mapping[str, Any]] | None = None,
    sealed: bool = False,
    words: list[str] | None = None,
    **scenario: Any,
) -> Path:
    """A part's folder as its process leaves it, or as a stop does."""
    folder.mkdir(parents=True)
    origin = origin or fake_origin(part=None if part is None else str(part))
    plan = plan.model_copy(update={"run": f"{plan.name}.{abs(hash(folder)) % 16**8:08x}"})
    ledger = Ledger(folder / "ledger.sqlite", plan, tasks=fake_tasks(plan))
    held = sorted(keys)
    with ledger.transaction():
        for link, point, frame in held:
            own = UNSENT | dict((changes or {}).get((link, point, frame), {}))
            result = fake_result(plan, link, point, frame, **own)
            ledger.record(link, plan.codec_at(link, point).digest, [result])
        if held:
            ledger.origins.add(origin, (Computed(*key, key[2] + 1) for key in held))
    kind = {"kind": "evaluation"}
    said = list(WORDS if words is None else words)
    if part is not None:
        kind = {"kind": "part", "part": {"number": part.number, "of": part.of}}
        said += ["--part", str(part)]
    wanted, facts = scenario_of_parts(plan, **scenario), facts_of_parts(plan)
    if sealed:
        seal_part(ledger, wanted, facts, command=said, more=kind)
    else:
        told = {**kind, **stated_origins(ledger.origins, plan)}
        write_run_manifest(folder, wanted, plan, codecs=facts, command=said, results=told)
    ledger.close()
    return folder


def write_parts(root: Path, plan: Plan, of: int) -> list[Path]:
    """All parts of a plan, each by a host of its own."""
    return [
        write_part(
            root / part.folder,
            plan,
            keys_of_part(plan, number, of),
            part=part,
            origin=fake_origin(f"host-{number}", part=str(part)),
            sealed=True,
        )
        for number in range(1, of + 1)
        for part in [Part(number, of)]
    ]
