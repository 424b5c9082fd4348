"""What pyproject.toml cannot say: two folders of the repository become data of a package."""

from pathlib import Path

from setuptools import find_packages, setup

ROOMS = ("semcom", "transmitters", "channel_sim", "receiver", "orchestrator", "rkd_sc")
PATTERNS = [f"{room}{below}" for room in ROOMS for below in ("", ".*")]
# Package in a wheel: folder here. semcom/shipped.py finds them in both places.
DATA = {"semcom.codecs": "codecs", "semcom.scenarios": "scenarios"}
HERE = {package: folder for package, folder in DATA.items() if Path(folder).is_dir()}

setup(
    packages=[*find_packages(include=PATTERNS), *HERE],
    package_dir=HERE,
)
