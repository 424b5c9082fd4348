"""Training jobs: teacher, robust knowledge distillation, evaluation.

The only room with optimisers. It composes the very modules that are deployed; nothing imports
it: jobs start it as a process (`python -m orchestrator.training`), which ends here with one line
where its packages are not installed.
"""

from semcom.extras import imports_for

with imports_for("training", "training"):
    import torch  # noqa: F401 - what every process of this room needs
