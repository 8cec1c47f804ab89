"""The codes of authenticator apps, and why each of them works once.

* Time is cut into steps, counted from 1970 by the shop's own clock; the phone's clock decides nothing.
* The codes of the current step count, and of a step or so around it, as the shop's policy says.
* A step is used up with the first code of it that is taken, and so is every step before it. So a code works once, and
  an older one never works after a newer one, whatever it was asked for: enrolling, signing in, or proving again.
* An app is set up with a text that names the shop, the account, the secret, and what isn't as every app expects.

[RFC 6238 5.2; NIST SP 800-63B-4 3.1.4; OWASP ASVS 6.5.1, 6.5.5, 6.5.8]
"""

import base64
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final
from urllib.parse import quote, urlencode

import attrs

from shopaccounts.kernel.secret import Secret
from shopaccounts.signin.factor_policy import TotpParameters, TotpPolicy

__all__ = ["Accepted", "NotAccepted", "WhyNotAccepted", "judge_totp", "otpauth_uri", "secret_text", "step_at"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


class WhyNotAccepted(Enum):
    """Why a code opens nothing."""

    WRONG = "wrong"
    OUTSIDE_WINDOW = "outside_window"
    REPLAYED = "replayed"


@attrs.frozen
class Accepted:
    """The code counts; steps up to *step* are used up from now on."""

    step: int


@attrs.frozen
class NotAccepted:
    """The code doesn't count."""

    reason: WhyNotAccepted


def step_at(now: datetime, period: int) -> int:
    """Answer the step of *now*, where each lasts *period* seconds."""
    return (now - _EPOCH) // _SECOND // period


def judge_totp(matched_step: int | None, last_step: int, now_step: int, policy: TotpPolicy) -> Accepted | NotAccepted:
    """Judge a code by the step that it belongs to.

    Args:
        matched_step: Which that is; None if it belongs to none.
        last_step: Up to which one they are used up.
        now_step: The current one.
        policy: How many around it count.
    """
    if matched_step is None:
        return NotAccepted(WhyNotAccepted.WRONG)
    if not now_step - policy.past_steps <= matched_step <= now_step + policy.future_steps:
        return NotAccepted(WhyNotAccepted.OUTSIDE_WINDOW)
    if matched_step <= last_step:
        return NotAccepted(WhyNotAccepted.REPLAYED)
    return Accepted(matched_step)


def secret_text(secret: Secret[bytes]) -> Secret[str]:
    """Answer a secret as people type it into an app: base 32 (RFC 4648 section 6) without padding."""
    return Secret(base64.b32encode(secret.reveal()).decode().rstrip("="))


def otpauth_uri(secret: Secret[bytes], issuer: str, account: str, made: TotpParameters) -> Secret[str]:
    """Answer the text that sets an app up.

    Args:
        secret: What the codes come from.
        issuer: The shop's name, as prefix of the account's and as a parameter.
        account: What the app calls the account.
        made: How codes are made; what every app expects by itself is left out.
    """
    usual = TotpParameters()
    parameters: dict[str, str | int] = {"secret": secret_text(secret).reveal(), "issuer": issuer}
    if made.algorithm is not usual.algorithm:
        parameters["algorithm"] = made.algorithm.value
    if made.digits != usual.digits:
        parameters["digits"] = made.digits
    if made.period != usual.period:
        parameters["period"] = made.period
    name = f"{quote(issuer, safe='')}:{quote(account, safe='')}"
    return Secret(f"otpauth://totp/{name}?{urlencode(parameters, quote_via=quote, safe='')}")
