"""Write the dashboards in the form that Grafana reads.

python -m orchestrator.dashboards.write     in the root of the repository; `make monitoring`
"""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.dashboards.link_dashboard import LINK_AND_CHANNEL
from orchestrator.dashboards.model import Dashboard, dashboard_json
from orchestrator.dashboards.overview_dashboard import OVERVIEW
from orchestrator.dashboards.receiver_dashboard import RECEIVER
from orchestrator.dashboards.training_dashboard import TRAINING

FOLDER = Path("docker/grafana/dashboards")
DASHBOARDS: dict[str, Dashboard] = {
    "overview": OVERVIEW,
    "link": LINK_AND_CHANNEL,
    "receiver": RECEIVER,
    "training": TRAINING,
}


def generated() -> dict[Path, str]:
    """Return the files and their required content."""
    return {
        FOLDER / f"{name}.json": json.dumps(dashboard_json(dashboard), indent=1) + "\n"
        for name, dashboard in DASHBOARDS.items()
    }


def main() -> None:
    """Write them below the working folder."""
    for path, content in generated().items():
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
