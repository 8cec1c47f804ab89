"""Every benchmark by name, in the order in which they run."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["BENCHMARKS"]

BENCHMARKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "imports": "benchmarks.importing",
        "driver": "benchmarks.driving",
        "tokens": "benchmarks.tokens",
        "totp": "benchmarks.totp",
        "emails": "benchmarks.emails",
        "hashing": "benchmarks.hashing",
        "recording": "benchmarks.recording",
        "statements": "benchmarks.counting",
        "accounts": "benchmarks.accounts",
        "cycles": "benchmarks.cycles",
        "billing": "benchmarks.billing",
    }
)
"""Name to the module whose ``run`` does it."""
