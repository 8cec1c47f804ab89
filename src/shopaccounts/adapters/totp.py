"""The codes of authenticator apps, made by pyotp.

The package makes the codes; comparing them is done here. Its own comparison folds signs of other scripts into digits,
takes the wall clock where it is given no time and local time where that is naive, knows windows of equal sides only,
and answers the lowest step that fits: a code that two steps share could then be used twice.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from pyotp import TOTP

from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.secret import Secret, same
from shopaccounts.signin.factor_policy import TotpAlgorithm, TotpParameters
from shopaccounts.signin.factors.totp import step_at

__all__ = ["PyotpTotp"]

_HASHES: Final[Mapping[TotpAlgorithm, Callable[..., Any]]] = MappingProxyType(
    {
        TotpAlgorithm.SHA1: hashlib.sha1,
        TotpAlgorithm.SHA256: hashlib.sha256,
        TotpAlgorithm.SHA512: hashlib.sha512,
    }
)


_FEWEST_BYTES: Final = 14
"""112 bits. [NIST SP 800-63B-4 3.1.4.1]"""


class PyotpTotp:
    """Knows the codes of authenticator apps; keeps the promises of ``Totp``."""

    def matching_step(
        self, secret: Secret[bytes], code: str, now: datetime, made: TotpParameters, *, past: int, future: int
    ) -> int | None:
        """Answer which step *code* belongs to, the last one if there are several; None if to none that counts.

        Raises:
            Defect: The secret is too short, or the parameters are none that apps know.
        """
        app, step = _app(secret, made), step_at(now, made.period)
        if not _is_code(code, made.digits):
            return None
        steps = range(step + future, max(step - past, 0) - 1, -1)
        return next((tried for tried in steps if same(app.generate_otp(tried), code)), None)


class _App(TOTP):
    """An app whose secret is bytes: the package keeps it as text, and would read that anew for every code."""

    def __init__(self, secret: bytes, made: TotpParameters) -> None:
        self._bytes = secret
        super().__init__("", digits=made.digits, digest=_HASHES[made.algorithm], interval=made.period)

    def byte_secret(self) -> bytes:
        return self._bytes


def _app(secret: Secret[bytes], made: TotpParameters) -> TOTP:
    plain = secret.reveal()
    if len(plain) < _FEWEST_BYTES:
        msg = "a secret of an app that is too short"
        raise Defect(msg)
    try:
        return _App(plain, made)
    except ValueError:
        msg = "parameters that no app can work with"
        raise Defect(msg) from None


def _is_code(code: object, digits: int) -> bool:
    return isinstance(code, str) and len(code) == digits and code.isascii() and code.isdigit()
