"""The hashes of other systems, scheme by scheme: how one is read, what it may cost at most, and how it is checked.

A text is read strictly and whole. The most that one may cost is about a second of a processor and 256 MiB.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

import attrs

from shopaccounts.kernel.secret import Secret, same
from shopaccounts.passwords.importing import LegacyScheme
from shopaccounts.passwords.policy import MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES
from shopaccounts.passwords.preparing import Prepared, prepare_to_verify

__all__ = ["FOREIGN", "Check", "Foreign", "digest", "read_weak"]

_BCRYPT_BYTES: Final = 72
_BCRYPT_COST: Final = 14
_PBKDF2_ROUNDS: Final = 2_000_000
_CRYPT_ROUNDS: Final = 1_000_000
_PHPASS_COST: Final = 20
_SCRYPT_WORK: Final = 2 * MAX_MEMORY_KIB * 1024
_PHPASS_DIGITS: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_BCRYPT: Final = r"\$2[aby]\$(0[4-9]|[1-3][0-9])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]"
_ARGON2_TAGS: Final = "|".join(f"[A-Za-z0-9+/]{{{digits}}}" for digits in (22, 27, 32, 43, 86))
_ARGON2: Final = (
    r"\$argon2(?:id|i)\$v=(?:16|19)\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,9})"
    rf"\$[A-Za-z0-9+/]{{11,86}}\$(?:{_ARGON2_TAGS})"
)
_ROUNDS: Final = r"([1-9][0-9]{0,8})"
_SALT: Final = r"([!-#%-~]{1,128})"


Check = Callable[[bytes, re.Match[str]], bool]


def _form(text: str) -> re.Pattern[str]:
    return re.compile(text)


@attrs.frozen
class Foreign:
    """How hashes of one scheme are read, what one may cost, and how it is checked."""

    form: re.Pattern[str] = attrs.field(converter=_form)
    is_affordable: Callable[[re.Match[str]], bool]
    check: Check

    def read(self, text: str) -> re.Match[str] | None:
        """Answer the parts of *text*, None if it is no hash of this scheme or costs too much."""
        found = self.form.fullmatch(text)
        return found if found and self.is_affordable(found) else None


def _passlib(name: str) -> Check:
    def check(secret: bytes, found: re.Match[str]) -> bool:
        from passlib import hash as handlers  # noqa: PLC0415  (optional)

        handler: Any = getattr(handlers, name)
        return bool(handler.verify(secret, found[0]))

    return check


def _bcrypt(secret: bytes, text: str) -> bool:
    from passlib.hash import bcrypt  # noqa: PLC0415  (optional)

    return b"\0" not in secret and bool(bcrypt.verify(secret[:_BCRYPT_BYTES], text))


def _django_bcrypt(secret: bytes, found: re.Match[str]) -> bool:
    return _bcrypt(hashlib.sha256(secret).hexdigest().encode(), found[0].removeprefix("bcrypt_sha256$"))


def _django_argon2(secret: bytes, found: re.Match[str]) -> bool:
    from passlib.hash import argon2  # noqa: PLC0415  (optional)

    return bool(argon2.verify(secret, found[0].removeprefix("argon2")))


def _django_pbkdf2(secret: bytes, found: re.Match[str]) -> bool:
    rounds, salt, expected = found.groups()
    return same(b64encode(hashlib.pbkdf2_hmac("sha256", secret, salt.encode(), int(rounds))), expected)


def _django_scrypt(secret: bytes, found: re.Match[str]) -> bool:
    n, salt, r, p, expected = found.groups()
    memory = MAX_MEMORY_KIB * 1024 * 2
    computed = hashlib.scrypt(secret, salt=salt.encode(), n=int(n), r=int(r), p=int(p), maxmem=memory, dklen=64)
    return same(b64encode(computed), expected)


def _argon2_cost(found: re.Match[str]) -> bool:
    memory, passes, lanes = map(int, found.groups())
    return memory <= MAX_MEMORY_KIB and passes <= MAX_PASSES and lanes <= MAX_LANES


def _scrypt_cost(n: int, r: int, p: int) -> bool:
    memory = 128 * n * r
    return memory <= MAX_MEMORY_KIB * 1024 and memory * p <= _SCRYPT_WORK


def _rounds(most: int) -> Callable[[re.Match[str]], bool]:
    return lambda found: int(found[1] or 0) <= most


def _mcf(name: str, digits: int) -> str:
    return rf"\${name}\${_ROUNDS}\$[./A-Za-z0-9]{{1,342}}\$[./A-Za-z0-9]{{{digits}}}"


def _crypt(mark: int, digits: int) -> str:
    return rf"\${mark}\$(?:rounds=([1-9][0-9]{{3,8}})\$)?[./A-Za-z0-9]{{0,16}}\$[./A-Za-z0-9]{{{digits}}}"


FOREIGN: Final = {
    LegacyScheme.BCRYPT: Foreign(_BCRYPT, _rounds(_BCRYPT_COST), lambda secret, found: _bcrypt(secret, found[0])),
    LegacyScheme.PBKDF2_SHA256: Foreign(_mcf("pbkdf2-sha256", 43), _rounds(_PBKDF2_ROUNDS), _passlib("pbkdf2_sha256")),
    LegacyScheme.PBKDF2_SHA512: Foreign(_mcf("pbkdf2-sha512", 86), _rounds(_PBKDF2_ROUNDS), _passlib("pbkdf2_sha512")),
    LegacyScheme.SCRYPT: Foreign(
        r"\$scrypt\$ln=([1-9][0-9]?),r=([1-9][0-9]{0,3}),p=([1-9][0-9]{0,3})"
        r"\$[./A-Za-z0-9+]{1,342}\$[./A-Za-z0-9+]{43}",
        lambda found: _scrypt_cost(2 ** int(found[1]), int(found[2]), int(found[3])),
        _passlib("scrypt"),
    ),
    LegacyScheme.ARGON2: Foreign(_ARGON2, _argon2_cost, _passlib("argon2")),
    LegacyScheme.SHA256_CRYPT: Foreign(_crypt(5, 43), _rounds(_CRYPT_ROUNDS), _passlib("sha256_crypt")),
    LegacyScheme.SHA512_CRYPT: Foreign(_crypt(6, 86), _rounds(_CRYPT_ROUNDS), _passlib("sha512_crypt")),
    LegacyScheme.PHPASS: Foreign(
        r"\$[PH]\$([./A-Za-z0-9])[./A-Za-z0-9]{30}",
        lambda found: _PHPASS_DIGITS.index(found[1]) <= _PHPASS_COST,
        _passlib("phpass"),
    ),
    LegacyScheme.DJANGO_PBKDF2: Foreign(
        rf"pbkdf2_sha256\${_ROUNDS}\${_SALT}\$([A-Za-z0-9+/]{{43}}=)", _rounds(_PBKDF2_ROUNDS), _django_pbkdf2
    ),
    LegacyScheme.DJANGO_SCRYPT: Foreign(
        rf"scrypt\${_ROUNDS}\${_SALT}\$([1-9][0-9]{{0,3}})\$([1-9][0-9]{{0,3}})\$([A-Za-z0-9+/]{{86}}==)",
        lambda found: _scrypt_cost(int(found[1]), int(found[3]), int(found[4])),
        _django_scrypt,
    ),
    LegacyScheme.DJANGO_ARGON2: Foreign(rf"argon2{_ARGON2}", _argon2_cost, _django_argon2),
    LegacyScheme.DJANGO_BCRYPT: Foreign(rf"bcrypt_sha256\${_BCRYPT}", _rounds(_BCRYPT_COST), _django_bcrypt),
}
_DIGITS: Final = {LegacyScheme.MD5: 32, LegacyScheme.SHA1: 40, LegacyScheme.SHA256: 64}


def read_weak(scheme: LegacyScheme, text: str) -> tuple[str, Prepared | None]:
    """Answer the salt in *text* and the digest, None if it has none: ``hex``, ``hex:salt`` or ``name$salt$hex``."""
    if scheme is LegacyScheme.PLAIN:
        return "", prepare_to_verify(text)
    digits = rf"([0-9a-fA-F]{{{_DIGITS[scheme]}}})"
    if found := re.fullmatch(rf"{digits}(?::([!-#%-9;-~]{{1,128}}))?", text):
        return found[2] or "", Prepared(Secret(found[1].lower()))
    if found := re.fullmatch(rf"{scheme.value}\$([!-#%-~]{{0,128}})\${digits}", text):
        return found[1], Prepared(Secret(found[2].lower()))
    return "", None


def digest(scheme: LegacyScheme, salt: str, password: Prepared) -> Prepared:
    """Answer what a weak scheme makes of *password*, as the text that our own hash is over."""
    if scheme is LegacyScheme.PLAIN:
        return password
    secret = f"{salt}{password.text.reveal()}".encode("utf-8", "surrogatepass")
    return Prepared(Secret(hashlib.new(scheme.value, secret, usedforsecurity=False).hexdigest()))
