"""The manifests for Kubernetes: fields that the API has, and as many pods as parts."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
import yaml

from orchestrator.evaluation.part_choice import parse_part
from tests.conftest import REPO

FOLDER = REPO / "docker" / "kubernetes"
KINDS = {"Job": "V1Job"}
client = pytest.importorskip(
    "kubernetes.client", reason="the client of Kubernetes is not installed: pip install kubernetes"
)


def manifests() -> list[dict[str, Any]]:
    """Every document of every file."""
    files = sorted(FOLDER.glob("*.yaml"))
    return [each for path in files for each in yaml.safe_load_all(path.read_text())]


def as_the_api_takes_it(manifest: dict[str, Any]) -> Any:
    """A manifest through the client's models: fields that they do not have are gone."""
    api = client.ApiClient()
    read = api.deserialize(json.dumps(manifest), KINDS[manifest["kind"]], "application/json")
    return api.sanitize_for_serialization(read)


@pytest.mark.parametrize("manifest", manifests(), ids=lambda each: each["kind"])
def test_manifest_has_only_fields_of_the_api(manifest: dict[str, Any]) -> None:
    assert as_the_api_takes_it(manifest) == manifest


def test_a_field_that_the_api_does_not_have_is_noticed() -> None:
    (job,) = manifests()
    job["spec"]["completionsMode"] = "Indexed"
    assert as_the_api_takes_it(job) != job


def test_a_value_that_is_required_is_noticed() -> None:
    (job,) = manifests()
    del job["spec"]["template"]["spec"]["containers"][0]["name"]
    with pytest.raises(ValueError, match="name"):
        as_the_api_takes_it(job)


def test_pods_are_as_many_as_parts() -> None:
    (job,) = manifests()
    spec = job["spec"]
    words = spec["template"]["spec"]["containers"][0]["args"]
    text = words[words.index("--part") + 1]
    last = parse_part(text, {"JOB_COMPLETION_INDEX": str(spec["completions"] - 1)})
    assert (last.number, last.of) == (spec["completions"], spec["completions"])
    assert spec["completionMode"] == "Indexed"
    assert shlex.join(words).startswith("evaluate scenario.yaml --part auto/")
