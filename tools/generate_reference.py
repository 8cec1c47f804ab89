"""Write the reference pages and the pictures of the docs, and the listing of the public API, from the code.

``--check`` writes nothing and fails if one of them is out of date.
"""

import argparse
import difflib
import sys
from pathlib import Path
from typing import Final

import compliance_page
import draw_statuses
import draw_subscription_states
import draw_subscription_timelines
import pictures
import public_api
import reference_pages
import stored_defaults

ROOT: Final = Path(__file__).resolve().parent.parent
LISTING: Final = Path("tests/architecture/api.txt")
COMMAND: Final = "python tools/generate_reference.py"


def wanted() -> dict[Path, str]:
    """Answer what each file should hold."""
    return {
        Path("docs/policies.md"): reference_pages.policies_page(),
        Path("docs/events.md"): reference_pages.events_page(),
        Path("docs/errors.md"): reference_pages.errors_page(),
        Path("docs/compliance.md"): compliance_page.page(),
        LISTING: public_api.listing(),
        Path("tests/golden/stored_defaults.txt"): stored_defaults.listing(),
        **drawn(),
    }


def drawn() -> dict[Path, str]:
    """Answer what each picture should look like."""
    states = (draw_statuses.picture(), *draw_subscription_states.PICTURES)
    every: tuple[pictures.Drawn, ...] = (*states, *draw_subscription_timelines.pictures())
    docs = pictures.CONTEXTS.parent
    return {Path("docs") / one.path.relative_to(docs): one.drawing() for one in every}


def stale() -> dict[Path, str]:
    """Answer what the files that are out of date should hold."""
    return {path: text for path, text in wanted().items() if text != current(path)}


def current(path: Path) -> str:
    """Answer what a file holds now."""
    file = ROOT / path
    return file.read_text("utf-8") if file.exists() else ""


def difference(path: Path, text: str) -> str:
    """Answer in which lines a file differs from what it should hold."""
    lines = difflib.unified_diff(current(path).splitlines(), text.splitlines(), str(path), "the code", "", "", 1, "")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Write what is out of date, or with ``--check`` name it; answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is out of date")
    check = parser.parse_args(arguments).check
    for path, text in (found := stale()).items():
        if check:
            print(f"out of date: {path}; run {COMMAND}")
            continue
        (ROOT / path).write_text(text, "utf-8")
        print(f"wrote {path}")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
