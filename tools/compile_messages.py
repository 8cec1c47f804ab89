"""Compile the gettext catalogues of the library: every ``shopaccounts.po`` to the ``shopaccounts.mo`` beside it.

Run it after changing a text. With ``--check`` it only says whether the compiled catalogues are fresh.
"""

import argparse
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).parents[1] / "src" / "shopaccounts" / "locale"
Words = tuple[str, ...]


def words(text: str | list[str] | tuple[str, ...] | None) -> Words:
    """Answer a text and its plural forms."""
    return (text,) if isinstance(text, str) else tuple(text or ())


def texts(catalogue: Catalog) -> dict[Words, Words]:
    """Answer what a catalogue says, without its header."""
    return {words(entry.id): words(entry.string) for entry in catalogue if entry.id and any(words(entry.string))}


def source_of(path: Path) -> Catalog:
    """Read a catalogue as people write it."""
    with path.open("rb") as file:
        return read_po(file, abort_invalid=True)


def is_fresh(path: Path) -> bool:
    """Tell whether the compiled catalogue beside *path* says the same."""
    compiled = path.with_suffix(".mo")
    if not compiled.exists():
        return False
    with compiled.open("rb") as file:
        return texts(read_mo(file)) == texts(source_of(path))


def main() -> int:
    """Compile, or check; answer the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether the compiled catalogues are fresh")
    check = parser.parse_args().check
    stale = [path for path in sorted(FOLDER.glob("*/LC_MESSAGES/*.po")) if not is_fresh(path)]
    for path in stale:
        name = path.relative_to(FOLDER)
        if check:
            print(f"{name} was changed since it was compiled: run python tools/compile_messages.py")
            continue
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, source_of(path))
        print(f"compiled {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
