"""Run a live system from its scenario to its end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.control.system import ProcessSystem, open_system
from orchestrator.live.active_jobs import active_jobs
from orchestrator.live.api import Api
from orchestrator.live.current_items import CurrentItems
from orchestrator.live.link_options import choices
from orchestrator.live.live_folder import Home
from orchestrator.live.live_scenario import LiveScenario, plan_live
from orchestrator.live.live_service import LiveSystem
from orchestrator.live.requests import Desk
from orchestrator.live.site import Site
from orchestrator.live.stream import Stream
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import Folders
from orchestrator.sweep.run import DRAINING
from semcom.http_server import Request, Response
from semcom.stop_signals import stop_requests
from semcom.telemetry import log_file

ANY_ADDRESS = ("", "0.0.0.0", "::")


def run_live(
    scenario: LiveScenario,
    home: Home,
    *,
    folders: Folders,
    work: Path,
    launch: bool,
    up: Callable[[str], None],
    watcher: Callable[[dict[str, Any]], None],
) -> None:
    """Stream until the system is stopped.

    Args:
        scenario: the live scenario.
        home: folder in which commands find the system.
        folders: folders of data sets, codecs and runs.
        work: folder of training artefacts, whose jobs the status shows.
        launch: start the processes here; otherwise they are started elsewhere and connect.
        up: called with the URL once it answers.
        watcher: called with the status every second.

    Raises:
        SemcomError: it cannot start, or a process ended permanently.
    """
    folders = folders.absolute()
    catalog = Catalog(folders.codecs)
    planned = plan_live(scenario, data_dir=folders.data, catalog=catalog)
    tasks = {
        codec.digest: catalog.open(codec.name).manifest.task
        for link in planned.values()
        for codec in link.codecs
    }
    token = home.move_in()
    try:
        run = f"{scenario.name}.{secrets.token_hex(4)}"
        stream = Stream(scenario, planned, run=run, now_s=time.monotonic(), tasks=tasks)
        with (
            log_file(home.logs / "orchestrator.jsonl"),
            stop_requests(DRAINING) as stop,
            open_system(scenario, home.folder, folders, launch=launch, stop=stop) as system,
        ):
            desk = Desk(system.wakeup)

            def watched(status: dict[str, Any]) -> None:
                home.check_place()
                watcher(status)

            live = LiveSystem(system, scenario, stream, folders=folders, desk=desk, watcher=watched)
            host = scenario.ports.metrics_host
            items = CurrentItems(scenario, folders)
            api = Api(
                desk,
                host=host,
                token=token,
                more=lambda: {"jobs": active_jobs(work), **choices(catalog)},
                item=items.show,
            )
            site = Site()

            def pages(request: Request) -> Response | None:
                return api(request) or site(request)

            def opened() -> None:
                url = _url(system)
                home.announce(url)
                up(url)

            try:
                system.run(live, list(scenario.links), pages=pages, opened=opened)
            finally:
                live.close()
                items.close()
            if live.failure is not None:
                raise live.failure
    finally:
        home.move_out()


def _url(system: ProcessSystem) -> str:
    host = system.settings.ports.metrics_host
    return f"http://{'127.0.0.1' if host in ANY_ADDRESS else host}:{system.page_port}"
