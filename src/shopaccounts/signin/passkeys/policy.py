"""What a shop says about passkeys: for which site they are, and how much it asks of them."""

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import urlsplit

import attrs

from shopaccounts.kernel.limits import Window
from shopaccounts.kernel.policy import require

__all__ = ["CEREMONY_LIFE", "MAX_CREDENTIAL_BYTES", "MAX_RESPONSE", "PasskeyPolicy"]

CEREMONY_LIFE: Final = timedelta(minutes=5)
"""How long a challenge waits for its answer; a fixed value. [W3C WebAuthn 3 section 15.1 recommends 5 minutes]"""
MAX_CREDENTIAL_BYTES: Final = 1023
"""The longest name that a device may give a key. [W3C WebAuthn 3 section 7.1 step 25]"""
MAX_RESPONSE: Final = 65536
"""The longest answer of a browser that is looked at, in characters."""
_MOST_PASSKEYS: Final = 50
_KNOWN_ALGORITHMS: Final = frozenset({-8, -7, -257})
_DOMAIN: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_APP: Final = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")
_PROVABLE: Final = frozenset({"packed", "tpm"})


def _roots(given: Mapping[str, tuple[bytes, ...]]) -> Mapping[str, tuple[bytes, ...]]:
    return MappingProxyType({form: tuple(roots) for form, roots in given.items()})


@attrs.frozen(kw_only=True)
class PasskeyPolicy:
    """For which site passkeys are made, and what is asked of them.

    Args:
        rp_id: The domain that passkeys belong to, as ``lampenhaus.example``; it can't be changed without losing them.
        rp_name: What browsers call the shop.
        origins: The addresses of the pages that may ask for passkeys, as ``https://www.lampenhaus.example``.
        user_verification: Whether the device makes sure who uses it: ``required``, ``preferred`` or ``discouraged``.
        algorithms: The signatures that are taken, best first, as COSE numbers them.
        attestation: ``none``, or ``direct`` to take devices only that prove their make.
        trust_roots: Whom to believe that proof: the format of a statement to certificates, as PEM.
        resident_key: Whether the device keeps the key so that nobody has to type who they are.
        timeout: How long a browser waits for its user.
        counter: What follows when a counter doesn't move on: ``flag`` it and tell the owner, or ``refuse``.
        max_per_account: How many an account may have.
        cross_origin: The pages in whose frames the shop's pages may ask for passkeys.
        identifier_first: Whether people say who they are first, and are asked for a passkey of that account.
        requests: How often one network may begin to sign in with one.

    Why these defaults:
        user_verification: preferred; a key that didn't verify its user counts as one factor. [W3C WebAuthn 3 5.8.6;
            NIST SP 800-63B-4 3.1.7.2]
        algorithms: Ed25519, ES256, RS256, which every authenticator has one of. [W3C WebAuthn 3 5.4]
        attestation, trust_roots: none; shops have no use for the make of a device. [W3C WebAuthn 3 5.4.7]
        resident_key: preferred, so that it can be found without a name. [W3C WebAuthn 3 5.4.4]
        timeout: 5 minutes. [W3C WebAuthn 3 15.1]
        counter: flag; synced passkeys keep none, and a broken device must lock nobody out. [W3C WebAuthn 3 6.1.1]
        max_per_account: 20, of the house.
        cross_origin: nowhere. [W3C WebAuthn 3 13.4.2]
        identifier_first: no; so nothing that is answered depends on an account. [W3C WebAuthn 3 14.6.2]
        requests: 30 a minute, since pages begin this whenever they are shown; of the house.
    """

    rp_id: str
    rp_name: str
    origins: tuple[str, ...]
    user_verification: Literal["required", "preferred", "discouraged"] = "preferred"
    algorithms: tuple[int, ...] = (-8, -7, -257)
    attestation: Literal["none", "direct"] = "none"
    trust_roots: Mapping[str, tuple[bytes, ...]] = attrs.field(converter=_roots, factory=dict, repr=False)
    resident_key: Literal["required", "preferred", "discouraged"] = "preferred"
    timeout: timedelta = timedelta(minutes=5)
    counter: Literal["flag", "refuse"] = "flag"
    max_per_account: int = 20
    cross_origin: tuple[str, ...] = ()
    identifier_first: bool = False
    requests: Window = Window(limit=30, per=timedelta(minutes=1))

    def __attrs_post_init__(self) -> None:
        require(bool(_DOMAIN.fullmatch(self.rp_id)), "passkeys belong to a domain, written in small ASCII letters")
        require(bool(self.rp_name.strip()), "browsers call the shop by a name")
        require(bool(self.origins), "some page asks for passkeys")
        for origin in (*self.origins, *self.cross_origin):
            require(_is_origin(origin), f"{origin} is not written as a browser writes an origin")
        wishes = {"required", "preferred", "discouraged"}
        require({self.user_verification, self.resident_key} <= wishes, "required, preferred or discouraged")
        require(self.counter in {"flag", "refuse"}, "a counter that stands still is flagged or refused")
        known = bool(self.algorithms) and set(self.algorithms) <= _KNOWN_ALGORITHMS
        require(known, "signatures are Ed25519 (-8), ES256 (-7) or RS256 (-257)")
        require(1 <= self.max_per_account <= _MOST_PASSKEYS, f"an account has 1 to {_MOST_PASSKEYS} passkeys")
        require(timedelta(0) < self.timeout <= CEREMONY_LIFE, "a browser waits no longer than the challenge")
        self._check_attestation()

    def _check_attestation(self) -> None:
        require(self.attestation in {"none", "direct"}, "attestation is none or direct")
        has_roots = bool(self.trust_roots) and all(self.trust_roots.values())
        require(self.attestation == "none" or has_roots, "whoever wants devices to prove their make trusts some roots")
        require(set(self.trust_roots) <= _PROVABLE, f"statements with roots are of {', '.join(sorted(_PROVABLE))}")


def _is_origin(text: str) -> bool:
    """Tell whether *text* is an origin as clients write it: a secure site without a path, or an Android app."""
    if _APP.fullmatch(text):
        return True
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host == "localhost")
    written = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
    is_default = (parts.scheme, port) in {("https", 443), ("http", 80)}
    return is_safe and text == written and bool(_DOMAIN.fullmatch(host)) and not is_default
