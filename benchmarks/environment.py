"""The environment that benchmarks run in: this project as a shop installs it, and the peers by name and version."""

import hashlib
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import Final

__all__ = ["enter", "is_inside", "make"]

ROOT: Final = Path(__file__).resolve().parent.parent
HOME: Final = ROOT / ".bench"
PYTHON: Final = HOME / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
ASKED: Final = (ROOT / "benchmarks/requirements.txt", ROOT / "benchmarks/requirements-alone.txt")
EXTRAS: Final = "sql,sql-async,postgresql"


def is_inside() -> bool:
    """Tell whether this process runs in the environment of the benchmarks."""
    return Path(sys.prefix).resolve() == HOME.resolve()


def make() -> None:
    """Make the environment, unless one made of the same requirements stands."""
    stamp = HOME / ".ready"
    wanted = _fingerprint()
    if stamp.is_file() and stamp.read_text("ascii") == wanted:
        return
    print("Setting up .bench with the peers; this takes a minute or two.")
    venv.create(HOME, with_pip=True, clear=True)
    _install("--editable", f".[{EXTRAS}]", "--requirement", "benchmarks/requirements.txt")
    _install("--no-deps", "--requirement", "benchmarks/requirements-alone.txt")
    stamp.write_text(wanted, "ascii")


def enter(arguments: list[str]) -> int:
    """Run the benchmarks there, and answer how that ended."""
    return subprocess.run([str(PYTHON), "-m", "benchmarks", *arguments], cwd=ROOT, check=False).returncode  # noqa: S603  (this package)


def _install(*what: str) -> None:
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--quiet", *what]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603  (pip, with the files above)


def _fingerprint() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    ours = repr((sys.version_info[:3], project["dependencies"], project["optional-dependencies"]))
    return hashlib.sha256(b"\0".join((ours.encode(), *(path.read_bytes() for path in ASKED)))).hexdigest()
