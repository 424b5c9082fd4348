"""What the processes of a run say over HTTP."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.harness import DEADLINE_S, Run

NOBODY = (0, "")


def get(run: Run, peer: str, path: str) -> tuple[int, str]:
    """Status and body of a process's page; `NOBODY` where the process does not answer (yet)."""
    starts = [record for record in run.log(peer) if record["event"] == "started"]
    if not starts:
        return NOBODY
    address = f"http://127.0.0.1:{starts[-1]['metrics_port']}{path}"
    try:
        with urllib.request.urlopen(address, timeout=DEADLINE_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except (OSError, http.client.HTTPException):
        return NOBODY


def metric(run: Run, peer: str, name: str, **labels: str) -> float:
    """The sum of a metric of a process over its other labels; 0 where there is none (yet)."""
    _, page = get(run, peer, "/metrics")
    samples = [s for family in text_string_to_metric_families(page) for s in family.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
