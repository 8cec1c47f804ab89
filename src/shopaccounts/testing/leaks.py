"""Looks for planted secrets wherever a run may have left them: rows, files, logs, reprs.

A secret is searched for in every dress that it commonly wears: as text, in UTF-16, escaped as in JSON or in a URL, in
hex and in both alphabets of base 64.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import attrs

__all__ = ["Leak", "assert_no_leak", "files_below", "find_leaks"]

MIN_BYTES = 8
Place = tuple[str, bytes | str]


@attrs.frozen
class Leak:
    """A planted secret that was found; its text is not told again."""

    secret: str
    dress: str
    place: str


def find_leaks(planted: Mapping[str, str | bytes], places: Iterable[Place]) -> tuple[Leak, ...]:
    """Answer every secret that lies somewhere.

    Args:
        planted: The secrets, by a name that may be told. At least 8 bytes each, so that nothing else looks like them.
        places: What to search, each with a name: a row's cells, a file's bytes, a log record's text.
    """
    dresses = [(name, dress, worn) for name, secret in planted.items() for dress, worn in _dresses(_raw(secret))]
    return tuple(
        Leak(name, dress, place) for place, content in places for name, dress, worn in dresses if worn in _raw(content)
    )


def assert_no_leak(planted: Mapping[str, str | bytes], places: Iterable[Place]) -> None:
    """Check that none of the secrets lies anywhere."""
    leaks = find_leaks(planted, places)
    assert not leaks, f"planted secrets were found: {leaks}"


def files_below(folder: Path) -> Iterator[Place]:
    """Answer the bytes of every file below *folder*, under its name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def _raw(content: bytes | str) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")


def _dresses(secret: bytes) -> Iterator[tuple[str, bytes]]:
    assert len(secret) >= MIN_BYTES, "too short to be told from chance"
    yield "as it is", secret
    yield "hex", secret.hex().encode()
    yield "hex, in capitals", secret.hex().upper().encode()
    for before in range(3):
        inner = _inside_base64(secret, before)
        yield "base 64", inner
        if (for_urls := inner.translate(bytes.maketrans(b"+/", b"-_"))) != inner:
            yield "base 64 for URLs", for_urls
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return
    yield "UTF-16", text.encode("utf-16-le")
    yield "JSON", json.dumps(text)[1:-1].encode()
    yield "URL", quote(text, safe="").encode()


def _inside_base64(secret: bytes, before: int) -> bytes:
    """Answer the letters that *secret* alone decides where it begins so many bytes into what is encoded."""
    encoded = base64.b64encode(b"\0" * before + secret)
    return encoded[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]
