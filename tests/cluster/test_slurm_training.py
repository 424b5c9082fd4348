"""A training on two nodes of a real Slurm, by the script of docs/cluster.md, stops and resumes.

`make test-cluster` runs it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.datasets.prepare import prepare
from semcom.plain_text import command
from tests.cluster.slurm_nodes import SLURM_TEST, Slurm
from tests.integration.harness import REPO, eventually
from tests.orchestrator.training.harness import SMALL_WORDS, setting_words, start_training
from tests.orchestrator.training.test_ranks import LONG, assert_same_weights, finish

pytestmark = SLURM_TEST


def script(words: list[str]) -> str:
    """The script as it is documented, for two nodes that are one machine."""
    blocks = re.findall(r"```bash\n(.*?)```", (REPO / "docs" / "cluster.md").read_text(), re.S)
    (text,) = [block for block in blocks if "--rendezvous" in block]
    for old, new in {
        'hosts=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))': "hosts=(127.0.0.1 127.0.0.2)",
        "semcom train cifar10 --nproc 4": command("semcom", "train", *words),
        "#SBATCH --cpus-per-task=4": "#SBATCH --cpus-per-task=1",
        "#SBATCH --mem=16G": "#SBATCH --mem=1G",
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def test_a_training_on_two_nodes_is_stopped_and_goes_on_to_the_same_bits(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    prepare("shapes10", root=data / "shapes10", source=None, train_images=512, test_images=50)
    undisturbed = start_training(data, tmp_path / "undisturbed", *LONG[2], nproc=2)
    output = finish(undisturbed)
    assert undisturbed.returncode == 0, output

    words = ["shapes10", "--preset", "smoke", "--name", "tiny", "--data", "data", "--out", "codec"]
    networks = [each for each in SMALL_WORDS if not each.startswith("teacher.")]
    words += [*setting_words("threads=1", *networks), *LONG[2]]
    job = tmp_path / "job.sbatch"
    job.write_text(script([*words, "--work", "work"]))
    slurm.setenv("GLOO_SOCKET_IFNAME", "lo")

    def submit() -> str:
        return slurm.run("sbatch", "--parsable", str(job), cwd=tmp_path).strip()

    def log(number: str) -> str:
        return "".join(path.read_text() for path in tmp_path.glob(f"*-{number}.log"))

    def ended(number: str) -> bool:
        return slurm.queue() == []

    number = submit()
    eventually(
        lambda: bool(list(tmp_path.glob("work/artefacts/*/*/resume.pt"))) or ended(number),
        "a save",
    )
    assert not ended(number), log(number)
    slurm.run("scancel", "--signal=TERM", number)
    eventually(lambda: ended(number), "the end of the job")
    assert "resume with: semcom train" in log(number)
    assert not list(tmp_path.glob("work/artefacts/*/*/weights.safetensors")), log(number)

    number = submit()
    eventually(lambda: ended(number), "the end of the resumed job")
    assert "2 rank(s)" in log(number)
    assert_same_weights(tmp_path / "undisturbed", tmp_path)
