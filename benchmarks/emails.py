"""Reading an e-mail address and working out the keys it is compared by."""

import time
from functools import partial
from typing import Final

from benchmarks.measuring import Contestant, Effort, race
from benchmarks.reports import Curve, Report, Row
from shopaccounts.kernel.contact import EmailAddress

__all__ = ["run"]

ADDRESSES: Final = {
    "plain": "nora.lind+shop@example.org",
    "capitals": "Nora.Lind@Example.ORG",
    "script of its own": "дарья@example.org",
    "international domain": "nora@bücher.example",
}
LENGTHS: Final = (24, 96, 254)


def run(effort: Effort) -> Report:
    """Compare reading addresses with email-validator and with Django's check."""
    from django.core.validators import EmailValidator  # noqa: PLC0415  (in the benchmarks' environment only)
    from email_validator import validate_email  # noqa: PLC0415  (as above)

    is_email = EmailValidator()
    rows = []
    for case, address in ADDRESSES.items():
        contestants = [
            Contestant.of("ours", partial(EmailAddress.parse, address)),
            Contestant.of("email-validator", partial(validate_email, address, check_deliverability=False)),
        ]
        if address.isascii():
            contestants.append(Contestant.of("Django, check only", partial(is_email, address)))
        times = race(contestants, effort, time.process_time)
        others = [contestant.name for contestant in contestants[1:]]
        rows += [Row(case=case, ours=times["ours"], other=times[name], beside=name) for name in others]
    return Report(
        name="emails",
        title="Reading e-mail addresses",
        rows=tuple(rows),
        curves=(Curve("address of so many characters", tuple(_points(effort))),),
        size="characters",
        notes=("Ours answers three forms: as typed, for sign-in, and for abuse counters. Nobody asks the network.",),
    )


def _points(effort: Effort) -> list[tuple[float, float]]:
    points = []
    for length in LENGTHS:
        address = _address_of(length)
        times = race([Contestant.of("ours", partial(EmailAddress.parse, address))], effort, time.process_time)
        points.append((float(length), times["ours"]))
    return points


def _address_of(length: int) -> str:
    local = "n" * min(60, length // 2)
    labels, left = [], length - len(local) - len("@.example")
    while left > 0:
        labels.append("d" * min(50, left))
        left -= len(labels[-1]) + 1
    return f"{local}@{'.'.join(labels)}.example"
