"""Registry of tasks: built-in ones and those of installed packages by entry point."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from semcom.plugins import installed, plugin
from semcom.tasks.task import Task

GROUP = "rkd_sc.tasks"
OURS = {
    "classification": "semcom.tasks.classification:Classification",
    "ordered_classification": ("semcom.tasks.ordered_classification:OrderedClassification"),
    "reconstruction": "semcom.tasks.reconstruction:Reconstruction",
    "text": "semcom.tasks.text:Text",
}


@cache
def task_class(kind: str) -> type[Task]:
    """Return the class of a task by its name.

    Raises:
        ValueError: no such task is installed; the message lists the installed ones.
    """
    found = plugin(GROUP, kind, OURS)
    if found is None:
        raise ValueError(
            f"no task '{kind[:64]}'; available: {', '.join(installed(GROUP, OURS))}; packages add "
            f"others under the entry-point group {GROUP}"
        )
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise ValueError(f"entry point {kind} of {GROUP} is not a task")  # noqa: TRY004 - as pydantic wants it
    return found


def our_tasks() -> list[type[Task]]:
    """Return the class of every task of this package."""
    return [task_class(kind) for kind in OURS]


def all_tasks() -> list[type[Task]]:
    """Return the class of every installed task, built-in ones first."""
    return [task_class(kind) for kind in installed(GROUP, OURS)]


def task_of(content: Any) -> Task:
    """Return a task from the map in which a manifest or a ledger states it.

    Raises:
        ValueError: there is no such task, or it does not have such parameters.
    """
    if isinstance(content, Task):
        return content
    if not isinstance(content, Mapping) or not isinstance(content.get("kind"), str):
        raise ValueError("a task is a map with the key kind")  # noqa: TRY004
    return task_class(content["kind"]).model_validate(dict(content))


# A task as a field of a model: any installed one.
AnyTask = Annotated[SerializeAsAny[Task], BeforeValidator(task_of)]
