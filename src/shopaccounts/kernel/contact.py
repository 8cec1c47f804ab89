"""E-mail addresses and phone numbers, and the keys by which the shop tells them apart.

The rules, in plain English:

* An address is kept as the customer typed it, and mail goes there and nowhere else. It is never compared.
* Two other forms are computed once and only ever compared. The *login key* says whether two spellings are one
  address: letter case, Unicode composition and the spelling of the domain don't count, everything else does. The
  *abuse key* also forgets plus tags and a provider's own habits; it counts coupons and never opens a door.
* A sign that looks like another one is refused, not repaired. Unicode normalisation turns some signs into plain
  letters; an address repaired that way would be somebody else's.
* Domains in other scripts follow IDNA 2008 with the mapping of UTS #46. IDNA 2003 would read ``groß`` as ``gross``,
  a domain with another owner.
* A phone number without a library that knows numbering plans is taken in international form only: nothing is guessed.
* People and logs see masks.
"""

import re
import unicodedata
from datetime import date
from enum import Enum
from typing import Final, Self

import attrs

from shopaccounts.kernel.errors import Defect, Kind, Rejected
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.text import CAPS

__all__ = [
    "ABUSE_RULES",
    "KEY_VERSION",
    "AbuseRule",
    "Contact",
    "ContactKind",
    "EmailAddress",
    "EmailInvalid",
    "EmailPolicy",
    "EmailUnsupportedCharacters",
    "LineType",
    "PhoneInvalid",
    "PhoneNumber",
    "looks_like_phone",
    "mask",
]

KEY_VERSION: Final = 1
"""The version of the steps and tables below; it moves whenever an accepted address would get another key."""

_LOCAL_OCTETS = 64
_DOMAIN_OCTETS = 253
_ADDRESS_OCTETS = 254

_BLANK = " \t"
_UNSEEN_ASCII = re.compile(r"[\x00-\x20\x7f]")
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_ATOM = r'[^\x00-\x20"(),.:;<>@\[\\\]\x7f]+'
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}")
_A_LABEL = re.compile(r"(?:\A|\.)xn--")

_E164 = re.compile(r"\+[1-9][0-9]{7,14}")
_CALLING_CODE = re.compile(r"\+(?:[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3})")


class ContactKind(Enum):
    """The two ways to reach a customer that the library keeps."""

    EMAIL = "email"
    PHONE = "phone"


@attrs.frozen
class EmailInvalid(Rejected):
    """This can't be an e-mail address.

    ``part`` says where it fails: ``type``, ``length``, ``at`` (none, or several), ``local`` or ``domain``.
    """

    code = "contact.email_invalid"
    kind = Kind.INVALID
    part: str


@attrs.frozen
class EmailUnsupportedCharacters(Rejected):
    """The address holds a character that is invisible, or that turns into another one when it is normalised.

    ``position`` counts characters of the text as it was given, from 0; the text itself is not repeated.
    """

    code = "contact.email_unsupported_characters"
    kind = Kind.INVALID
    position: int


@attrs.frozen
class PhoneInvalid(Rejected):
    """This can't be used as a phone number.

    ``reason`` is ``type``, ``length`` or ``not_international``; an adapter with numbering plans adds ``unknown``,
    ``characters``, ``extension``, ``letters``, ``short_code`` and ``line_type``.
    """

    code = "contact.phone_invalid"
    kind = Kind.INVALID
    reason: str


@attrs.frozen(kw_only=True)
class AbuseRule:
    """What a mail provider treats as one mailbox, beyond plus tags.

    Args:
        domain: The domain the rule is for, as it stands in a login key.
        mailbox_domain: The domain under which the provider files the mailbox.
        ignores_dots: Whether dots in the local part make no difference.
        as_of: The day for which the row was written down; providers change their minds.
    """

    domain: str
    mailbox_domain: str
    ignores_dots: bool
    as_of: date


ABUSE_RULES: Final = (
    AbuseRule(domain="gmail.com", mailbox_domain="gmail.com", ignores_dots=True, as_of=date(2026, 11, 22)),
    AbuseRule(domain="googlemail.com", mailbox_domain="gmail.com", ignores_dots=True, as_of=date(2026, 11, 22)),
)
"""Gmail ignores dots and files googlemail.com under gmail.com (Gmail Help, "Dots don't matter in Gmail addresses")."""


@attrs.frozen(kw_only=True)
class EmailPolicy:
    """Which addresses a shop takes, and how it counts mailboxes.

    Args:
        allow_non_ascii_local: Take a local part in any script.
        abuse_rules: Providers' habits for the abuse key. A rule of a shop's own is added to the tuple.

    Why these defaults:
        allow_non_ascii_local: RFC 6531 lets a mailbox be named in its owner's script, and refusing it turns customers
            away.
        abuse_rules: Gmail only, the one large provider that documents it; of the house.

    Raises:
        BadPolicy: Two rules for one domain, or a domain that no login key can hold.
    """

    allow_non_ascii_local: bool = True
    abuse_rules: tuple[AbuseRule, ...] = ABUSE_RULES

    def __attrs_post_init__(self) -> None:
        domains = [rule.domain for rule in self.abuse_rules]
        require(len(domains) == len(set(domains)), "one abuse rule for a domain")
        for name in (*domains, *(rule.mailbox_domain for rule in self.abuse_rules)):
            require(_HOST_NAME.fullmatch(name) is not None, "an abuse rule names domains as login keys spell them")


_EMAIL_POLICY = EmailPolicy()


@described(data_class="contact_points", default=impersonal("the version of an algorithm"))
@attrs.frozen(repr=False)
class EmailAddress:
    """An e-mail address and the keys it is compared by; made by ``parse``, shown as a mask.

    Args:
        stored: What the customer typed, trimmed: the only form that mail is sent to, and never compared.
        login_key: One spelling for all spellings of this address: uniqueness, sign-in, reset, suppression, throttling.
        abuse_key: One spelling for all addresses of this mailbox: coupon limits and duplicate hints, never access.
        key_version: The version of the rules by which the keys were computed.
    """

    stored: str = attrs.field(metadata=personal("contact_points", Category.CONTACT, on_erase=OnErase.DROP_ROW))
    login_key: str = attrs.field(metadata=personal("contact_points", Category.CONTACT, on_erase=OnErase.DROP_ROW))
    abuse_key: str = attrs.field(
        metadata=personal("contact_points", Category.CONTACT, export=False, on_erase=OnErase.DROP_ROW)
    )
    key_version: int = KEY_VERSION

    @property
    def kind(self) -> ContactKind:
        """It is an e-mail address."""
        return ContactKind.EMAIL

    @property
    def key(self) -> str:
        """What it is compared by, byte for byte."""
        return self.login_key

    @property
    def budget_key(self) -> str:
        """What messages to it are counted by."""
        return self.abuse_key

    @property
    def send_to(self) -> str:
        """Where messages go."""
        return self.stored

    @classmethod
    def parse(cls, raw: str, policy: EmailPolicy = _EMAIL_POLICY) -> Self:
        """Read an address as a person typed it.

        Args:
            raw: At most 320 characters; spaces and tabs around it are dropped.
            policy: Which addresses the shop takes.

        Raises:
            EmailInvalid: Not a text, too long, or not ``name@domain`` as RFC 5321 and RFC 6531 have it, without
                quoted names, comments and address literals.
            EmailUnsupportedCharacters: An invisible character, or one that normalisation would replace.
        """
        text = _text(raw)
        stored = text.strip(_BLANK)
        login_key = _login_key(stored, len(text) - len(text.lstrip(_BLANK)), policy)
        return cls(stored, login_key, _abuse_key(login_key, policy.abuse_rules), KEY_VERSION)

    def __repr__(self) -> str:
        return f"EmailAddress({mask(self)})"


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise EmailInvalid(part="type")
    text = str.__str__(raw)
    if len(text) > CAPS["identifier"]:
        raise EmailInvalid(part="length")
    return text


def _login_key(stored: str, offset: int, policy: EmailPolicy) -> str:
    address = _settled(stored, offset)
    local, at, domain = address.partition("@")
    if not at or "@" in domain:
        raise EmailInvalid(part="at")
    key = f"{_local_key(local, policy)}@{_domain_key(domain)}"
    if len(key.encode()) > _ADDRESS_OCTETS:
        raise EmailInvalid(part="length")
    return key


def _settled(stored: str, offset: int) -> str:
    """Answer *stored* in NFC, if each of its characters is visible and stays itself under every normalisation."""
    if stored.isascii():
        unseen = _UNSEEN_ASCII.search(stored)
        if unseen:
            raise EmailUnsupportedCharacters(position=offset + unseen.start())
        return stored
    # The order is the point: NFC alone already turns the Kelvin sign into the letter K.
    for unfit in (_is_unseen, _poses_as_ascii, _has_a_twin):
        for position, character in enumerate(stored, offset):
            if unfit(character):
                raise EmailUnsupportedCharacters(position=position)
    return unicodedata.normalize("NFC", stored)


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in _REFUSED_CATEGORIES or _IGNORABLE.match(character) is not None


def _poses_as_ascii(character: str) -> bool:
    forms = unicodedata.normalize("NFKC", character) + character.lower()
    return not character.isascii() and any(form.isascii() for form in forms)


def _has_a_twin(character: str) -> bool:
    # A text differs between NFKC and NFC exactly when one of its characters does.
    return unicodedata.normalize("NFKC", character) != unicodedata.normalize("NFC", character)


def _local_key(local: str, policy: EmailPolicy) -> str:
    if not _DOT_ATOM.fullmatch(local) or not (local.isascii() or policy.allow_non_ascii_local):
        raise EmailInvalid(part="local")
    key = unicodedata.normalize("NFC", local.lower())
    # A few letters are longer in lower case; the key has to be an address of its own.
    if max(len(local.encode()), len(key.encode())) > _LOCAL_OCTETS:
        raise EmailInvalid(part="local")
    return key


def _domain_key(domain: str) -> str:
    bare = domain[:-1] if domain.endswith((".", "\u3002")) else domain
    key = bare.lower()
    if not bare.isascii() or _A_LABEL.search(key):
        key = _a_labels(bare)
    if len(key) > _DOMAIN_OCTETS or not _HOST_NAME.fullmatch(key):
        raise EmailInvalid(part="domain")
    return key


def _a_labels(domain: str) -> str:
    """Spell a domain in ASCII as IDNA 2008 does; without ``uts46`` capital letters would be kept or refused."""
    import idna  # noqa: PLC0415  (the tables are large, and most addresses don't need them)

    try:
        return idna.encode(domain, uts46=True, std3_rules=True).decode()
    except UnicodeError:  # which IDNAError is
        raise EmailInvalid(part="domain") from None


def _abuse_key(login_key: str, rules: tuple[AbuseRule, ...]) -> str:
    local, _, domain = login_key.partition("@")
    mailbox = local[:1] + local[1:].partition("+")[0]  # a plus in front is part of the name
    for rule in rules:
        if rule.domain == domain:
            mailbox = mailbox.replace(".", "") if rule.ignores_dots else mailbox
            return f"{mailbox}@{rule.mailbox_domain}"
    return f"{mailbox}@{domain}"


class LineType(Enum):
    """What kind of line a number belongs to, as far as a numbering plan tells."""

    MOBILE = "mobile"
    FIXED = "fixed"
    FIXED_OR_MOBILE = "fixed_or_mobile"
    VOIP = "voip"
    TOLL_FREE = "toll_free"
    SHARED_COST = "shared_cost"
    PREMIUM_RATE = "premium_rate"
    OTHER = "other"
    UNKNOWN = "unknown"


def _is_e164(_number: object, _field: object, value: str) -> None:
    if not _E164.fullmatch(value):
        msg = "a phone number's key is + and 8 to 15 digits"
        raise Defect(msg)


@described(data_class="contact_points", default=impersonal("covers no field"))
@attrs.frozen(repr=False)
class PhoneNumber:
    """A phone number and the key it is compared by; shown as a mask.

    Args:
        stored: What the customer typed, trimmed.
        e164: ``+`` and 8 to 15 digits (ITU-T E.164): uniqueness, sign-in, codes, look-ups.
        country: The ISO 3166-1 alpha-2 code of the numbering plan, where an adapter knows it.
        line: What kind of line it is, where an adapter or a courier knows it.
        plan: The version of the numbering plans that it was read by, where an adapter has some.

    Raises:
        Defect: *e164* has another form, so the adapter that made it is broken.
    """

    stored: str = attrs.field(metadata=personal("contact_points", Category.CONTACT, on_erase=OnErase.DROP_ROW))
    e164: str = attrs.field(
        validator=_is_e164, metadata=personal("contact_points", Category.CONTACT, on_erase=OnErase.DROP_ROW)
    )
    country: str | None = attrs.field(
        default=None, metadata=personal("contact_points", Category.LOCATION, on_erase=OnErase.DROP_ROW)
    )
    line: LineType = attrs.field(
        default=LineType.UNKNOWN, metadata=personal("contact_points", Category.CONTACT, on_erase=OnErase.DROP_ROW)
    )
    plan: str = attrs.field(default="", metadata=impersonal("a version"))

    @property
    def kind(self) -> ContactKind:
        """It is a phone number."""
        return ContactKind.PHONE

    @property
    def key(self) -> str:
        """What it is compared by, byte for byte."""
        return self.e164

    @property
    def budget_key(self) -> str:
        """What messages to it are counted by."""
        return self.e164

    @property
    def send_to(self) -> str:
        """Where messages go."""
        return self.e164

    @classmethod
    def parse(cls, raw: str) -> Self:
        """Read a number in international form: ``+`` and 8 to 15 digits, nothing between them.

        Other spellings need to know the country's numbering plan; that is what ``kernel.phones.PhoneRules`` is for.

        Args:
            raw: At most 40 characters; spaces and tabs around it are dropped.

        Raises:
            PhoneInvalid: Anything else.
        """
        if not isinstance(raw, str):
            raise PhoneInvalid(reason="type")
        text = str.__str__(raw)
        if len(text) > CAPS["phone"]:
            raise PhoneInvalid(reason="length")
        stored = text.strip(_BLANK)
        if not _E164.fullmatch(stored):
            raise PhoneInvalid(reason="not_international")
        return cls(stored, stored)

    def __repr__(self) -> str:
        return f"PhoneNumber({mask(self)})"


Contact = EmailAddress | PhoneNumber

_DIALLED = re.compile(r"[ \t]*[+(0-9]")


def looks_like_phone(text: str) -> bool:
    """Tell whether somebody who typed *text* meant a phone number: it begins like one and has no ``@``."""
    return "@" not in text and _DIALLED.match(text) is not None


def mask(contact: Contact) -> str:
    """Answer a form that the owner recognises and nobody else can use: ``n***@example.org``, ``+49…20``."""
    if isinstance(contact, EmailAddress):
        local, _, domain = contact.login_key.partition("@")
        return f"{local[:1]}***@{domain}"
    code = _CALLING_CODE.match(contact.e164)
    return f"{code[0] if code else '+'}…{contact.e164[-2:]}"
