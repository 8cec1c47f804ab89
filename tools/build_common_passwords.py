"""Builds the list of common passwords that ships with the library.

Usage: python tools/build_common_passwords.py LIST

LIST is a text file, plain or gzipped, one password a line, the most frequent first. Where it comes from, and under
which licence, is told in src/shopaccounts/passwords/data/README.md. The list itself is not part of the project.
"""

import gzip
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from shopaccounts.passwords.common import Fingerprints

TARGET = Path(__file__).parents[1] / "src/shopaccounts/passwords/data/common_passwords.bin"
SHORT = range(8, 15)
LONG = range(15, 257)
MOST_SHORT = 11_000


def entries(source: Path) -> Iterator[str]:
    """Every readable line, folded as the look-up folds a password, each once."""
    raw = source.read_bytes()
    text = (gzip.decompress(raw) if source.suffix == ".gz" else raw).decode("utf-8", "replace")
    folded = (unicodedata.normalize("NFC", line).casefold() for line in text.splitlines() if "\ufffd" not in line)
    yield from dict.fromkeys(folded)


def main(source: Path) -> None:
    """Write the list and say what is in it."""
    listed = list(entries(source))
    short = [entry for entry in listed if len(entry) in SHORT][:MOST_SHORT]
    long = [entry for entry in listed if len(entry) in LONG]
    fingerprints = Fingerprints.of([*short, *long])
    TARGET.write_bytes(fingerprints.data)
    shorter, longer = fingerprints.counts
    print(f"{shorter} of 8 to 14, {longer} of 15 or more characters: {len(fingerprints.data)} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
