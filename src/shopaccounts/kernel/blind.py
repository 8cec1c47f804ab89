"""Look-ups over values that are not kept in the clear.

The rules, in plain English:

* A blind index is a keyed digest: whoever has the key and the value finds the entry, a stolen table tells nothing.
* The same address gives unrelated digests for another purpose, another realm, another kind or another key, so that
  two tables can't be joined by them.
* Spellings of one address give one digest: what is digested is the login key of an e-mail address, the E.164 form of
  a phone number, the canonical text of an IP address.
* Every text has a digest. Lists that are brought in from elsewhere are dirty, and an entry that can't be read must
  still be found by the same unreadable entry. Nothing is folded beyond that: dots and plus tags stay.
* All 32 bytes are kept: a shortened digest would now and then block a stranger.
"""

import hmac
import ipaddress
import unicodedata
from enum import Enum

import attrs

from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import Defect, Rejected
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import CAPS

__all__ = ["BlindIndex", "IndexKey", "IndexPurpose", "blind_index", "ip_index"]

_LAYOUT = b"shopaccounts/blind/1\x00"
_DIGEST_BYTES = 32
_KEY_BYTES = 32


class IndexPurpose(Enum):
    """What a look-up is for; each has keys of its own."""

    LOGIN = "login"
    SUPPRESSION = "suppression"
    ADDRESS_HEALTH = "address_health"
    IP = "ip"
    SEARCH = "search"


@attrs.frozen
class IndexKey:
    """One version of the key of one purpose.

    Args:
        purpose: The only purpose it serves.
        version: Counts from 1; kept beside each digest.
        secret: At least 32 bytes, as many as SHA-256 answers (RFC 2104 section 3).

    Raises:
        BadPolicy: The version is below 1 or the secret is too short.
    """

    purpose: IndexPurpose
    version: int
    secret: Secret[bytes]

    def __attrs_post_init__(self) -> None:
        require(self.version >= 1, "index keys are counted from 1")
        require(len(self.secret.reveal()) >= _KEY_BYTES, "an index key has at least 32 bytes")


def _is_whole(_index: object, _field: object, digest: bytes) -> None:
    if len(digest) != _DIGEST_BYTES:
        msg = "a blind index has 32 bytes"
        raise Defect(msg)


@attrs.frozen
class BlindIndex:
    """Stands for a value in a table without telling it.

    Args:
        purpose: What it may be looked up for.
        key_version: The version of the key it was made with.
        digest: 32 bytes.

    Raises:
        Defect: The digest has another length.
    """

    purpose: IndexPurpose
    key_version: int
    digest: bytes = attrs.field(repr=False, validator=_is_whole)


def blind_index(value: str, kind: ContactKind, purpose: IndexPurpose, key: IndexKey, scope: str) -> BlindIndex:
    """Answer the digest under which *value* is filed.

    Any text has one, clean or not. It is a look-up, not a judgement: where an address opens a door, parse it first
    and pass its login key, so that a look-alike is refused instead of read as the address it looks like.

    Args:
        value: An address or a phone number in any spelling; a national phone number is first to be read by
            ``PhoneRules``, which knows the store's country.
        kind: Which of the two it is.
        purpose: What the look-up is for; not ``IP``, which ``ip_index`` serves.
        key: A key of the same purpose.
        scope: Who shares the index: a realm's or a store's id.

    Returns:
        HMAC-SHA-256 (RFC 2104) over purpose, scope, kind and normalised value, each ended by a zero byte but the last.

    Raises:
        Defect: The key serves another purpose, the purpose is ``IP``, or the scope holds a zero character.
        TypeError: *value* is not a text.
    """
    if purpose is IndexPurpose.IP:
        msg = "addresses of the network are indexed by ip_index"
        raise Defect(msg)
    normalised = _email(value) if kind is ContactKind.EMAIL else _phone(value)
    return _index(normalised, kind.value, purpose, key, scope)


def ip_index(value: str, key: IndexKey, scope: str) -> BlindIndex:
    """Answer the digest under which a network address is filed: the whole address, IPv4 or IPv6.

    An IPv4 address written as an IPv6 one (``::ffff:192.0.2.1``) is the IPv4 address.

    Args:
        value: The address as text; any other text has a digest too.
        key: A key of the purpose ``IP``.
        scope: Who shares the index.

    Raises:
        Defect: The key serves another purpose, or the scope holds a zero character.
        TypeError: *value* is not a text.
    """
    return _index(_ip(value), "ip", IndexPurpose.IP, key, scope)


def _index(normalised: str, kind: str, purpose: IndexPurpose, key: IndexKey, scope: str) -> BlindIndex:
    if key.purpose is not purpose:
        msg = f"a key for {key.purpose.value} serves no index for {purpose.value}"
        raise Defect(msg)
    if "\x00" in scope:
        msg = "the scope of an index holds no zero character"
        raise Defect(msg)
    parts = (purpose.value, scope, kind, normalised)
    message = _LAYOUT + b"\x00".join(part.encode("utf-8", "surrogatepass") for part in parts)
    return BlindIndex(purpose, key.version, hmac.digest(key.secret.reveal(), message, "sha256"))


def _email(value: str) -> str:
    try:
        return EmailAddress.parse(_text(value)).login_key
    except Rejected:
        return _ascii_lower(_compatible(value.strip(" \t")))


def _phone(value: str) -> str:
    text = _compatible(_text(value).strip(" \t"))
    digits = "".join(str(unicodedata.decimal(character)) for character in text if character.isdecimal())
    return f"+{digits}" if text.startswith("+") else digits


def _ip(value: str) -> str:
    text = _text(value).strip(" \t")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _ascii_lower(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = "a blind index is made of a text"
        raise TypeError(msg)
    return str.__str__(value)


def _compatible(text: str) -> str:
    # Normalising takes quadratic time on hostile text; what is longer than any address is digested as it is.
    return unicodedata.normalize("NFKC", text) if len(text) <= CAPS["identifier"] else text


def _ascii_lower(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
