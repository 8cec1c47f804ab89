"""What second steps need from outside."""

from datetime import datetime
from typing import Protocol

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin.factor_policy import TotpParameters

__all__ = ["NoQrCode", "QrCode", "Totp"]


class Totp(Protocol):
    """Knows the codes of authenticator apps, as RFC 6238 makes them.

    Promises:
        1. ``matching_step`` answers the step whose code was given, out of those around *now* and no other.
        2. Where the codes of several steps are the same, it answers the last of them.
        3. What isn't exactly that many ASCII digits matches nothing.
        4. The codes are those of RFC 4226 Appendix D and RFC 6238 Appendix B.
        5. A secret of less than 112 bits is a ``Defect``.
        6. It reads no clock.
    """

    def matching_step(
        self, secret: Secret[bytes], code: str, now: datetime, made: TotpParameters, *, past: int, future: int
    ) -> Answer[int | None]:
        """Answer which step *code* belongs to; None if to none of those that count.

        Args:
            secret: What the app was given.
            code: What was typed.
            now: When, an aware time.
            made: How the app makes its codes.
            past: How many steps before the current one count.
            future: How many after it.
        """
        ...


class QrCode(Protocol):
    """Draws what a camera reads.

    Promises:
        1. ``svg`` answers a picture as text, to be set into a page as it is; or None if it draws none.
        2. A reader of it reads exactly *text*.
        3. Nothing is written to a file.
    """

    def svg(self, text: Secret[str]) -> Answer[Secret[str] | None]:
        """Answer a picture of *text*."""
        ...


class NoQrCode:
    """For shops that draw the picture elsewhere, or show the secret alone."""

    def svg(self, text: Secret[str]) -> None:
        """Draw nothing."""
