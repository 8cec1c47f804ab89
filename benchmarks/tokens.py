"""Making and checking the secret of a link: ours beside a bare digest and beside signed tokens."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks.measuring import Contestant, Effort, race
from benchmarks.reports import Reach, Report, Row
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.security import Stamp, Stamps
from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed, Purpose, Refusals, mint, peek

__all__ = ["run"]

NOW: Final = datetime(2031, 1, 1, tzinfo=UTC)
REFUSALS: Final = Refusals(LinkInvalid, LinkExpired, LinkUsed, LinkStale)
RESET: Final = Purpose("reset", "rst", frozenset({Stamp.PASSWORD}), REFUSALS)
ACCOUNT: Final = "0190a3c2-7e11-7cc1-9d5e-0f3a64f7b1aa"
Pair = tuple[Callable[[], Any], Callable[[], Any]]


def run(effort: Effort) -> Report:
    """Compare tickets with the bare minimum and with signed tokens."""
    pairs = {"ours": _ours(), "secrets + SHA-256": _bare(), "itsdangerous": _itsdangerous(), "PyJWT HS256": _jwt()}
    made = race([Contestant.of(name, pair[0]) for name, pair in pairs.items()], effort, time.process_time)
    checked = race([Contestant.of(name, pair[1]) for name, pair in pairs.items()], effort, time.process_time)
    both = {name: made[name] + checked[name] for name in pairs}
    rows = [
        Row(
            case=case,
            ours=times["ours"],
            other=times[name],
            beside=name,
            reach=Reach(3) if name.startswith("secrets") else Reach.faster(5),
        )
        for case, times in (("issue", made), ("check", checked), ("issue and check", both))
        for name in list(pairs)[1:]
    ]
    notes = ("Ours is for one use, bound to purpose, realm and stamps; its row in the store is not part of this.",)
    return Report(name="tokens", title="Tickets for links", rows=tuple(rows), notes=notes)


def _ours() -> Pair:
    entropy, realm, stamps, life = SystemEntropy(), RealmId("main"), Stamps(), timedelta(hours=1)

    def issue() -> Any:
        return mint(RESET, realm=realm, subject=ACCOUNT, bound="", stamps=stamps, life=life, now=NOW, entropy=entropy)

    ticket, text = issue()
    return issue, lambda: peek(ticket, text, RESET, stamps, NOW)


def _bare() -> Pair:
    def issue() -> tuple[str, bytes]:
        text = secrets.token_urlsafe(32)
        return text, hashlib.sha256(text.encode()).digest()

    text, kept = issue()
    return issue, lambda: hmac.compare_digest(hashlib.sha256(text.encode()).digest(), kept)


def _itsdangerous() -> Pair:
    from itsdangerous import URLSafeTimedSerializer  # noqa: PLC0415  (peers stand in the benchmarks' environment only)

    signer = URLSafeTimedSerializer("k" * 32, salt="reset")
    text = signer.dumps(ACCOUNT)
    return lambda: signer.dumps(ACCOUNT), lambda: signer.loads(text, max_age=3600)


def _jwt() -> Pair:
    import jwt  # noqa: PLC0415  (as above)

    def issue() -> str:
        until = int(time.time()) + 3600
        text: str = jwt.encode({"sub": ACCOUNT, "aud": "reset", "exp": until}, "k" * 32, algorithm="HS256")
        return text

    text = issue()
    return issue, lambda: jwt.decode(text, "k" * 32, algorithms=["HS256"], audience="reset")
