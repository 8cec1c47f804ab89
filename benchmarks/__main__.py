"""Measures the library beside its peers and keeps tables and plots: ``python -m benchmarks [names...] [--quick]``."""

import argparse
import importlib
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks import environment
from benchmarks.measuring import FULL, QUICK, Effort
from benchmarks.registry import BENCHMARKS
from benchmarks.reports import Report, as_markdown, as_plot, as_text

RESULTS: Final = Path(__file__).resolve().parent / "results"
SHOWN: Final = ("argon2-cffi", "attrs", "cryptography", "psycopg", "SQLAlchemy")
PEERS: Final = ("Django", "django-allauth", "fastapi-users", "Flask-Security", "itsdangerous", "PyJWT")


def main(arguments: list[str]) -> int:
    """Run the benchmarks that were asked for, in their own environment."""
    asked = _parser().parse_args(arguments)
    if not environment.is_inside():
        environment.make()
        return environment.enter(arguments)
    effort = QUICK if asked.quick else FULL
    for name in asked.names or BENCHMARKS:
        report: Report = importlib.import_module(BENCHMARKS[name]).run(effort)
        print(as_text(report), flush=True)
        if not effort.is_quick:
            _keep(report, effort)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which to run; all without one")
    parser.add_argument("--quick", action="store_true", help="few and short turns, and nothing is kept")
    return parser


def _keep(report: Report, effort: Effort) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{report.name}.md").write_text(as_markdown(report, _made_with(effort)), "utf-8")
    if report.curves:
        as_plot(report, RESULTS / f"{report.name}.svg")


def _made_with(effort: Effort) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in (*SHOWN, *PEERS))
    return (
        f"Medians of {effort.turns} turns on {os.cpu_count()} cores ({platform.machine()}, {_processor()}), "
        f"{platform.system()}, Python {platform.python_version()}; {packages}."
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "processor unknown")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
