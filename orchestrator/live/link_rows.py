"""The row of a link in the status of a live system."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from orchestrator.live.links import Link
from orchestrator.live.windows import metric_map
from semcom.points import ChannelSettings


def link_row(link: Link, now_s: float, *, streaming: bool, heard: bool) -> dict[str, Any]:
    """Return a row of the status."""
    stats = link.window.stats(now_s)
    account, said = link.account, link.said
    return {
        "link": link.name,
        "state": _state(link, streaming=streaming, heard=heard),
        "failure": link.failure,
        "dataset": link.planned.dataset,
        "codec": link.codec.name,
        "codec_digest": link.codec.digest,
        "system": link.codec.system,
        "channel": link.channel.label,
        "model": link.channel.model,
        "channel_settings": _channel_settings(link),
        "course": link.settings.course.kind if link.held_db is None else "held",
        "snr_set_db": None if link.spec is None else link.spec.snr_db,
        "rate_hz": link.settings.rate_hz,
        "task": link.window.task.kind,
        "metric": metric_map(link.window.metric),
        "window": asdict(stats),
        "in_flight": 0 if said is None else said.in_flight,
        "refusals": 0 if said is None else said.refusals,
        "offered": account.offered,
        "shed": account.shed,
        "recorded": account.recorded,
        "open": account.open,
        "lost": account.lost,
        "duplicates": account.duplicates,
        "unaccounted": account.unaccounted,
        "group": None if link.group is None else link.group.status,
        "incomplete": account.incomplete,
        "absent": dict(sorted(account.absent.items())),
        "history": link.history.columns,
        "changes": link.changes.rows,
    }


def _state(link: Link, *, streaming: bool, heard: bool) -> str:
    """Return the state in one word."""
    if link.failure:
        return "failed"
    if not heard:
        return "away"
    if not streaming:
        return "paused"
    return "waiting" if link.said is None else "streaming"


def _channel_settings(link: Link) -> dict[str, Any]:
    """Return the model's settings that differ from their defaults."""
    if isinstance(link.channel, ChannelSettings):
        return link.channel.model_dump(mode="json", exclude={"model"})
    return dict(link.channel.settings)
