"""Checking a password, at the cost that shops use and at a cost so low that our own part shows."""

import time
from collections.abc import Mapping
from typing import Final

import attrs

from benchmarks.measuring import Contestant, Effort, race
from benchmarks.reports import Curve, Reach, Report, Row
from shopaccounts.passwords import Argon2Profile, prepare

__all__ = ["run"]

PATIENCE: Final = 4
"""How many times as long a turn lasts where one hash takes a good part of it."""
PASSWORD: Final = "a lamp in the winter wind"  # noqa: S105  (nobody's)
OWNER: Final = "0190a3c2-7e11-7cc1-9d5e-0f3a64f7b1aa"


def run(effort: Effort) -> Report:
    """Compare our hasher with raw Argon2 and with argon2-cffi's own hasher."""
    real, cheap = Argon2Profile.owasp_46mib(), Argon2Profile.tests_only()
    profiles = {f"{p.memory_kib / 1024:.0f} MiB": p for p in (Argon2Profile.owasp_19mib(), real)}
    patient = attrs.evolve(effort, turn_seconds=effort.turn_seconds * PATIENCE)
    rows, points = [], []
    for name, profile in profiles.items():
        times = race(_contestants(profile), patient, time.process_time)
        points.append((profile.memory_kib * profile.passes / 1024, times["ours"]))
        rows.append(_row(f"verify, {name}", times, "argon2 verify_secret", Reach(1.05)))
    times = race(_contestants(cheap), effort, time.process_time)
    points.insert(0, (cheap.memory_kib * cheap.passes / 1024, times["ours"]))
    low = "verify, cost of tests"
    rows += [_row(low, times, "argon2 verify_secret", None), _row(low, times, "argon2-cffi PasswordHasher", None)]
    curve = Curve("verify", tuple(points))
    return Report(name="hashing", title="Checking a password", rows=tuple(rows), curves=(curve,), size="MiB filled")


def _row(case: str, times: Mapping[str, float], beside: str, reach: Reach | None) -> Row:
    return Row(case=case, ours=times["ours"], other=times[beside], beside=beside, reach=reach)


def _contestants(profile: Argon2Profile) -> list[Contestant]:
    from argon2 import PasswordHasher, low_level  # noqa: PLC0415  (loaded where it is needed, as the library does)

    from shopaccounts.adapters.argon2 import Argon2Hasher  # noqa: PLC0415  (as above)

    hasher, prepared = Argon2Hasher(profile), prepare(PASSWORD)
    stored = hasher.hash(prepared, OWNER)
    wrapper = PasswordHasher(profile.passes, profile.memory_kib, profile.lanes)
    text, secret = wrapper.hash(PASSWORD), PASSWORD.encode()
    raw = text.encode()
    return [
        Contestant.of("ours", lambda: hasher.verify(stored, prepared, OWNER)),
        Contestant.of("argon2 verify_secret", lambda: low_level.verify_secret(raw, secret, low_level.Type.ID)),
        Contestant.of("argon2-cffi PasswordHasher", lambda: wrapper.verify(text, PASSWORD)),
    ]
