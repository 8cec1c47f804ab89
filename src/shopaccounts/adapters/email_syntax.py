"""A second opinion on e-mail addresses, by email-validator. It may refuse; it never changes an address.

What the package does that one would not expect, and what is done about it here:

* It has no limit of length and takes seconds for megabytes: what is longer than an address can be is refused before.
* It accepts bytes: only text is handed on.
* It is lenient by default: it is asked strictly, without quoted names, address literals, display names and look-ups.
* It accepts signs in the local part that are an at sign, a dot or a letter of ASCII in compatibility form, and turns
  some of them into ASCII letters. Such a sign is refused, and the package's own spelling of an address is never used.
* Its messages quote the address: none of them is passed on.
* It refuses special-use domains such as ``.test`` and ``.local``.
"""

import unicodedata
from typing import Final

from shopaccounts.adapters.extras import require_extra
from shopaccounts.kernel.text import CAPS

__all__ = ["StrictEmailSyntax"]

_TYPE: Final = ("type",)
_LENGTH: Final = ("length",)
_LOCAL_PART: Final = ("local_part",)
_DOMAIN: Final = ("domain",)


class StrictEmailSyntax:
    """Keeps the promises of ``EmailSyntax``.

    Args:
        international: Let names before the at sign hold other than ASCII.

    Raises:
        ExtraMissing: The extra ``email`` isn't installed.
    """

    def __init__(self, *, international: bool = True) -> None:
        require_extra("email", self, "email_validator")
        self._international = international

    def objections(self, address: str) -> tuple[str, ...]:
        """Answer what speaks against *address*: ``type``, ``length``, ``local_part`` or ``domain``."""
        if not isinstance(address, str):
            return _TYPE
        if len(address) > CAPS["identifier"]:
            return _LENGTH
        local, _, domain = address.rpartition("@")
        if _hides_ascii(local):
            return _LOCAL_PART
        if self._accepts(address):
            return ()
        return _LOCAL_PART if self._accepts(f"a@{domain}") else _DOMAIN

    def _accepts(self, address: str) -> bool:
        from email_validator import validate_email  # noqa: PLC0415  (optional)

        try:
            validate_email(
                address,
                strict=True,
                check_deliverability=False,
                allow_quoted_local=False,
                allow_domain_literal=False,
                allow_display_name=False,
                allow_empty_local=False,
                allow_smtputf8=self._international,
                test_environment=False,
            )
        except Exception:  # noqa: BLE001  (whatever it trips over is no address; its texts quote the input)
            return False
        return True


def _hides_ascii(text: str) -> bool:
    odd = "".join(sign for sign in text if not sign.isascii())
    return any(sign.isascii() for sign in unicodedata.normalize("NFKC", odd))
