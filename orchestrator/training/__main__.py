"""`python -m orchestrator.training DATASET`: one training job; `semcom train` starts it.

With several ranks, the command starts itself again for each of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import torch
from rich.progress import Progress

from orchestrator.cli.terminal import Terminal
from orchestrator.training.arguments import as_typed, folder_to_write, parse, settings_of
from orchestrator.training.artefacts import Artefact
from orchestrator.training.data import Rank
from orchestrator.training.loop import Run
from orchestrator.training.precision import has_bf16
from orchestrator.training.progress import JobReporter, Silent, progress_bars
from orchestrator.training.ranks import (
    any_rank,
    joined_ranks,
    patient_ranks,
    spans_hosts,
)
from orchestrator.training.settings import JobSettings
from orchestrator.training.stop import SAVING, StoppedError
from orchestrator.training.torchrun import end_all_ranks, run_ranks, say_unless_told
from orchestrator.training.trained_families import FAMILIES, AnyPipeline
from semcom.checkpoints import Checkpoint
from semcom.children import is_rank, leave_cluster
from semcom.entry import run_process
from semcom.errors import ConfigurationError, SemcomError
from semcom.plain_text import command, take_every_character, tell_error
from semcom.shards import read_manifest
from semcom.stop_signals import in_silence, stop_requests, to_stderr

COMMAND = "SEMCOM_TRAIN_COMMAND"  # tells ranks the command with which they were started
console = Terminal(stderr=True)


def main(argv: list[str] | None = None) -> int:
    """Run a job; returns the exit code."""
    return run_process(lambda: _main(sys.argv[1:] if argv is None else argv), say=say_unless_told)


def _main(words: list[str]) -> int:
    take_every_character()
    arguments = parse(words)
    foreign = leave_cluster()
    if foreign:
        names = ", ".join(foreign)
        console.print(
            f"ignored from the environment: {names}; --nproc and --rendezvous place the ranks"
        )
    try:
        if not is_rank() and (arguments.nproc > 1 or arguments.rendezvous):
            os.environ[COMMAND] = command("semcom", *as_typed(words))
            settings = settings_of(arguments)  # errors are reported once, before the ranks start
            return run_ranks(arguments, settings.name)
        _run(arguments)
    except SemcomError as error:
        text = str(error)
        end_all_ranks(error.exit_code, lambda: tell_error(text))
        return error.exit_code
    except StoppedError as stopped:
        again = os.environ.get(COMMAND) or command("semcom", *as_typed(words))
        tell = partial(console.print, f"{stopped}; resume with: {again}")
        if spans_hosts() and not stopped.request.signal:  # another host's ranks were stopped
            end_all_ranks(stopped.exit_code, tell)
        else:
            tell()
        return stopped.exit_code
    except Exception:
        traceback.print_exc()
        return SemcomError.exit_code
    return 0


def _run(arguments: argparse.Namespace) -> None:
    settings = settings_of(arguments)
    device = torch.device(_device(settings))
    first = os.environ.get("RANK", "0") == "0"
    _share_cores(settings)
    say = to_stderr if first else in_silence
    with (
        stop_requests(SAVING, insist=False, say=say) as stop,
        progress_bars(console, shown=first) as bars,
    ):
        with joined_ranks(device) as rank:
            bf16 = _in_bf16(settings, device, rank)
            reporter = _reporter(arguments, settings, bars) if rank.index == 0 else Silent()
            run = Run(settings.seed, bf16, device, rank, stop, reporter, settings.checkpoint_s)
            pipeline = FAMILIES[arguments.family].pipeline(settings, run)
            if rank.index == 0:
                console.print(
                    f"{settings.name}: {arguments.system}, {len(pipeline.images)} items of "
                    f"{settings.dataset}, {rank.count} rank(s), {device}, "
                    f"{'bf16' if bf16 else 'fp32'}"
                )
            told = partial(_told, pipeline.given) if rank.index == 0 else _untold
            trained = pipeline.train(told, arguments.until)
            if spans_hosts():  # torchrun ends a host's ranks minutes after those of another host
                with patient_ranks(), suppress(StoppedError):  # the others are told next
                    _finish(pipeline, trained, arguments)
                run.stop_if_asked()
        if (
            not spans_hosts()
        ):  # the ranks separate, so that none waits while the first evaluates the codec
            _finish(pipeline, trained, arguments)


def _finish(pipeline: AnyPipeline, trained: Any, arguments: argparse.Namespace) -> None:
    """Do the rest once all stages are finished, on the first rank."""
    if pipeline.run.rank.index:
        return
    if "search" in pipeline.stages:
        _show_search(pipeline.stages["search"])
    if trained is not None:
        _export(trained, arguments, pipeline.run)


def _in_bf16(settings: JobSettings, device: torch.device, rank: Rank) -> bool:
    """Return whether to compute in bf16: with `auto`, if all ranks' processors support it."""
    if settings.precision != "auto":
        return settings.precision == "bf16"
    return not any_rank(not has_bf16(device), rank, device)


def _reporter(arguments: argparse.Namespace, settings: JobSettings, bars: Progress) -> JobReporter:
    folder = settings.work_dir / settings.name
    lines = arguments.progress or folder / "progress.jsonl"
    items = read_manifest(arguments.data / settings.dataset).item_word
    return JobReporter(bars, lines, folder / "events", items=items)


def _export(trained: Any, arguments: argparse.Namespace, run: Run) -> None:
    def between(done: int, total: int) -> None:
        run.reporter.note("export", done, total)
        if run.stop.signal:
            raise StoppedError(run.stop)

    record: dict[str, Any] = {
        "command": command("semcom", "train", *arguments.settings_words, *_rank_options()),
        "ranks": run.rank.count,
        "bf16": run.bf16,
        "report": between,
    }
    family = FAMILIES[arguments.family]
    folder = folder_to_write(arguments, trained.settings.name)
    checkpoint = family.export(trained, folder, **record)
    console.print(f"wrote {folder}: {family.reached(checkpoint.manifest.results)}")


def _rank_options() -> list[str]:
    """Return the options that describe the placement of ranks by torchrun."""
    here, hosts = (int(os.environ.get(f"{of}_WORLD_SIZE", "1")) for of in ("LOCAL", "GROUP"))
    placed = ["--nproc", str(here)] if here > 1 else []
    return [*placed, "--nnodes", str(hosts), "--rendezvous", "HOST:PORT"] if hosts > 1 else placed


def _told(given: Mapping[Any, Checkpoint], stage: str, was_run: bool) -> None:
    source = given[stage].folder if stage in given else "an earlier run"
    how = "done" if was_run and stage not in given else f"taken from {source}"
    console.print(f"{stage}: {how}")


def _show_search(made: Artefact) -> None:
    found = made.read_json("search.json")
    console.print(
        f"depths {found['depths']}: {found['parameters'] / 1e6:.3f} M parameters in the stages, "
        f"held-out accuracy {found['validation_accuracy']:.4f}; history in {made.folder}"
    )


def _untold(stage: str, was_run: bool) -> None:
    del stage, was_run


def _share_cores(settings: JobSettings) -> None:
    ranks_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    # torchrun starts ranks with one thread each, whatever their number.
    cores = len(os.sched_getaffinity(0)) if is_rank() else torch.get_num_threads()
    torch.set_num_threads(settings.threads or max(1, cores // ranks_here))


def _device(settings: JobSettings) -> str:
    if settings.device == "cpu" or (settings.device == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise ConfigurationError("device: PyTorch finds no usable GPU; use cpu or auto")
    local, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if local >= there:
        raise ConfigurationError(f"--nproc: this host has {there} GPU(s), and each rank takes one")
    torch.cuda.set_device(local)
    return f"cuda:{local}"


if __name__ == "__main__":
    sys.exit(main())
