"""Reading a registration form: only what the shop asks for, and everything that is wrong with it at once.

The rules, in plain English:

* A form holds the fields that the shop's policy puts on it. Any other is refused, whatever it is called: nobody sets a
  status, a role or points by a form. [OWASP ASVS 5.0 15.3.3]
* An empty field counts as not filled in. What is filled in is trimmed, and no longer than its rule allows.
* Documents that must be accepted are accepted in the version in force. Further documents and purposes are kept as they
  were ticked; what wasn't asked is not answered.
* All of it waits with the attempt. The account gets it when its holder proves the address, and from nobody else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Final

import attrs

from shopaccounts.customers import Customer
from shopaccounts.kernel.contact import Contact, ContactKind
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.text import require_locale, require_text
from shopaccounts.kernel.time import UnknownZone, require_instant, zone
from shopaccounts.passwords import PersonalWords
from shopaccounts.registration.errors import (
    FieldMissing,
    FieldUnsuitable,
    FormFinding,
    FormRejected,
    RegistrationNotOpen,
    TermsNotAccepted,
    TermsOutdated,
    UnknownField,
)
from shopaccounts.registration.model import AcceptedTerm, Details, RegistrationForm
from shopaccounts.registration.policy import (
    BIRTHDAY,
    Ask,
    FieldRule,
    OpenTo,
    Presence,
    RegistrationPolicy,
    is_key,
)

__all__ = ["MissingField", "missing_fields", "personal_words", "read_details", "require_open"]

MAX_CHOICES: Final = 50
MAX_ACCEPTED: Final = 20
MAX_VERSION: Final = 40
TIME_ZONE: Final = "time_zone"
_EARLIEST: Final = date(1900, 1, 1)


@attrs.frozen
class MissingField:
    """A field of the profile that a customer hasn't filled in yet.

    Args:
        field: The shop's name of it.
        required: Whether it has to be filled in.
        ask: When to ask for it.
    """

    field: str
    required: bool
    ask: Ask


def require_open(policy: RegistrationPolicy) -> None:
    """Refuse to register where only the invited may, or nobody.

    Raises:
        RegistrationNotOpen: So it is.
    """
    if policy.open_to is not OpenTo.EVERYONE:
        raise RegistrationNotOpen(policy.open_to.value)


def read_details(form: RegistrationForm, policy: RegistrationPolicy, now: datetime) -> Details:
    """Answer what a form says beside address and password.

    Raises:
        FormRejected: Fields that the form doesn't have, that are missing or that can't be so, all at once.
        TermsNotAccepted, TermsOutdated: Documents that have to be accepted.
        InvalidInput: Something that no form sends.
    """
    fields = _read_fields(form.fields, policy, now)
    accepted = _read_accepted(form.accepted, now)
    _check_terms(accepted, policy.required_terms)
    return Details(fields=fields, accepted=accepted, choices=_read_choices(form.choices))


def missing_fields(customer: Customer, policy: RegistrationPolicy) -> tuple[MissingField, ...]:
    """Answer what a customer hasn't told yet, required fields first; it feeds a list of steps to a full profile.

    Args:
        customer: Whose profile.
        policy: What the shop asks for, and when.
    """
    shown = ((name, rule) for name, rule in policy.fields.items() if rule.presence is not Presence.HIDDEN)
    missing = (
        MissingField(name, rule.presence is Presence.REQUIRED, rule.ask)
        for name, rule in shown
        if not customer.fields.get(name)
    )
    return tuple(sorted(missing, key=lambda field: (not field.required, field.field)))


def personal_words(contact: Contact, fields: Mapping[str, str]) -> PersonalWords:
    """Answer what a password of this person may not lean on."""
    birthday = fields.get(BIRTHDAY)
    return PersonalWords(
        emails=(contact.key,) if contact.kind is ContactKind.EMAIL else (),
        phones=(contact.key,) if contact.kind is ContactKind.PHONE else (),
        given_name=fields.get("given_name", ""),
        family_name=fields.get("family_name", ""),
        birthday=date.fromisoformat(birthday) if birthday else None,
    )


# Fields


def _read_fields(filled: Mapping[str, str], policy: RegistrationPolicy, now: datetime) -> dict[str, str]:
    if not isinstance(filled, Mapping):
        raise InvalidInput(field="fields")
    asked = {name: rule for name, rule in policy.fields.items() if rule.is_on_the_form}
    texts: dict[str, str] = {}
    findings: list[FormFinding] = list(_unknown(filled, asked))
    for name, rule in asked.items():
        text, reason = _read(name, filled.get(name, ""), rule, policy, now)
        if reason:
            findings.append(FieldUnsuitable(name, reason))
        elif text:
            texts[name] = text
        elif rule.presence is Presence.REQUIRED:
            findings.append(FieldMissing(name))
    if findings:
        raise FormRejected(findings)
    return texts


def _unknown(filled: Mapping[str, str], asked: Mapping[str, FieldRule]) -> Iterator[FormFinding]:
    names = {name if is_key(name) else "" for name in filled if name not in asked}
    return map(UnknownField, names)


def _read(name: str, raw: object, rule: FieldRule, policy: RegistrationPolicy, now: datetime) -> tuple[str, str]:
    """Answer the text of a field, and what is wrong with it."""
    try:
        text = require_text(raw, name, cap=rule.longest).strip()
    except InvalidInput as refusal:
        return "", refusal.reason
    check = _CHECKS.get(name)
    return text, check(text, policy, now) if check and text else ""


def _birthday_objection(text: str, policy: RegistrationPolicy, now: datetime) -> str:
    today = now.astimezone(UTC).date()
    try:
        born = date.fromisoformat(text)
    except ValueError:
        return "date"
    if text != born.isoformat() or not _EARLIEST <= born <= today:
        return "date"
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return "too_young" if policy.minimum_age is not None and age < policy.minimum_age else ""


def _zone_objection(text: str, _policy: RegistrationPolicy, _now: datetime) -> str:
    try:
        zone(text)
    except UnknownZone:
        return "time_zone"
    return ""


_CHECKS: Final[Mapping[str, Callable[[str, RegistrationPolicy, datetime], str]]] = {
    BIRTHDAY: _birthday_objection,
    TIME_ZONE: _zone_objection,
}


# Terms and choices


def _read_accepted(accepted: object, now: datetime) -> tuple[AcceptedTerm, ...]:
    if not isinstance(accepted, tuple) or len(accepted) > MAX_ACCEPTED:
        raise InvalidInput(field="accepted")
    return tuple(_read_term(term, now) for term in accepted)


def _read_term(term: object, now: datetime) -> AcceptedTerm:
    if not isinstance(term, AcceptedTerm) or not is_key(term.document):
        raise InvalidInput(field="accepted")
    require_text(term.version, "version", cap=MAX_VERSION)
    require_locale(term.locale)
    return attrs.evolve(term, at=min(require_instant(term.at), now))


def _check_terms(accepted: Iterable[AcceptedTerm], required: Mapping[str, str]) -> None:
    versions = {(term.document, term.version) for term in accepted}
    documents = {document for document, _ in versions}
    if missing := sorted(required.keys() - documents):
        raise TermsNotAccepted(tuple(missing))
    if outdated := sorted(document for document, version in required.items() if (document, version) not in versions):
        raise TermsOutdated(tuple(outdated))


def _read_choices(choices: object) -> dict[str, bool]:
    if not isinstance(choices, Mapping) or len(choices) > MAX_CHOICES:
        raise InvalidInput(field="choices")
    if not all(is_key(purpose) and isinstance(answer, bool) for purpose, answer in choices.items()):
        raise InvalidInput(field="choices")
    return dict(choices)
