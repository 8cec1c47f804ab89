"""Checking a code of an authenticator app: ours, which takes each code once, beside pyotp, which takes it again."""

import base64
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from benchmarks.measuring import Contestant, Effort, race
from benchmarks.reports import Reach, Report, Row
from shopaccounts.adapters.totp import PyotpTotp
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import TotpPolicy
from shopaccounts.signin.factors.totp import Accepted, judge_totp, step_at

__all__ = ["run"]

NOW: Final = datetime(2031, 5, 4, 10, 0, 40, tzinfo=UTC)
SECRET: Final = b"12345678901234567890"
WRONG: Final = "000000"


def run(effort: Effort) -> Report:
    """Compare one check of a right and of a wrong code with what the package does by itself."""
    from pyotp import TOTP  # noqa: PLC0415  (imported where it is measured)

    policy, totp, text = TotpPolicy(), PyotpTotp(), base64.b32encode(SECRET).decode()
    made, step, at = policy.parameters, step_at(NOW, 30), int(NOW.timestamp())

    def ours(code: str) -> bool:
        matched = totp.matching_step(
            Secret(SECRET), code, NOW, made, past=policy.past_steps, future=policy.future_steps
        )
        return isinstance(judge_totp(matched, step - 2, step_at(NOW, made.period), policy), Accepted)

    def theirs(code: str) -> Any:
        return TOTP(text).verify(code, for_time=at, valid_window=1)

    rows = []
    for case, code in (("right", TOTP(text).at(at)), ("wrong", WRONG)):
        assert ours(code) == theirs(code) == (case == "right")  # noqa: S101  (what is timed has to do the work)
        contestants = (Contestant.of("ours", partial(ours, code)), Contestant.of("pyotp", partial(theirs, code)))
        times = race(contestants, effort, time.process_time)
        rows.append(
            Row(
                case=f"{case} code, replay guard against none",
                ours=times["ours"],
                other=times["pyotp"],
                beside="pyotp verify(valid_window=1)",
                reach=Reach(1.3),
            )
        )
    notes = ("Opening the sealed secret, and storing the step with the sign-in, are not part of this.",)
    return Report(name="totp", title="Codes of authenticator apps", rows=tuple(rows), notes=notes)
