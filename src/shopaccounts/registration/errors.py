"""How this context says no."""

from collections.abc import Iterable
from datetime import datetime

import attrs

from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed

__all__ = [
    "AddressHasAccount",
    "ChangeNotPossible",
    "CodeExhausted",
    "CodeWrong",
    "ContactBelongsElsewhere",
    "ContactLinkExpired",
    "ContactLinkInvalid",
    "ContactLinkStale",
    "ContactLinkUsed",
    "CorrectionsUsedUp",
    "DomainNotAccepted",
    "FieldMissing",
    "FieldUnsuitable",
    "FormFinding",
    "FormRejected",
    "HumanCheckNeeded",
    "InvitationForAnotherContact",
    "InvitationUnknown",
    "OnHold",
    "RegistrationNotOpen",
    "TermsNotAccepted",
    "TermsOutdated",
    "UnknownField",
    "UsernameNotAllowed",
    "UsernameTaken",
]


class ContactLinkInvalid(LinkInvalid):
    """No verification waits for this link."""

    code = "registration.link_invalid"


class ContactLinkExpired(LinkExpired):
    """The verification link's time is over."""

    code = "registration.link_expired"


class ContactLinkUsed(LinkUsed):
    """The verification link was used before."""

    code = "registration.link_used"


class ContactLinkStale(LinkStale):
    """Something about the account has changed since the link was sent."""

    code = "registration.link_stale"


@attrs.frozen
class CodeWrong(Rejected):
    """That isn't the code that was sent."""

    code = "registration.code_wrong"
    kind = Kind.UNAUTHENTICATED
    tries_left: int


@attrs.frozen
class CodeExhausted(Rejected):
    """There were too many wrong codes; start anew."""

    code = "registration.code_exhausted"
    kind = Kind.UNAUTHENTICATED


@attrs.frozen
class CorrectionsUsedUp(Rejected):
    """The address of this attempt was corrected too often; start anew."""

    code = "registration.corrections_used_up"
    kind = Kind.CONFLICT


@attrs.frozen
class RegistrationNotOpen(Rejected):
    """Not everybody may open an account here."""

    code = "registration.not_open"
    kind = Kind.FORBIDDEN
    open_to: str


@attrs.frozen
class UnknownField:
    """The form has no such field; a name that can't be one is left out."""

    field: str


@attrs.frozen
class FieldMissing:
    """A field that has to be filled in is empty."""

    field: str


@attrs.frozen
class FieldUnsuitable:
    """What stands in a field can't be what it is for.

    ``reason`` is ``too_long``, ``characters``, ``type``, ``date``, ``time_zone`` or ``too_young``.
    """

    field: str
    reason: str


FormFinding = UnknownField | FieldMissing | FieldUnsuitable


def _in_order(findings: Iterable[FormFinding]) -> tuple[FormFinding, ...]:
    return tuple(sorted(findings, key=lambda finding: (finding.field, type(finding).__name__)))


@attrs.frozen
class FormRejected(Rejected):
    """The form can't be taken as it is; every reason is told at once."""

    code = "registration.form_rejected"
    kind = Kind.INVALID
    findings: tuple[FormFinding, ...] = attrs.field(converter=_in_order)


@attrs.frozen
class TermsNotAccepted(Rejected):
    """Documents that have to be accepted were not."""

    code = "registration.terms_not_accepted"
    kind = Kind.INVALID
    documents: tuple[str, ...]


@attrs.frozen
class TermsOutdated(Rejected):
    """Documents were accepted in a version that is no longer in force; show the new ones."""

    code = "registration.terms_outdated"
    kind = Kind.INVALID
    documents: tuple[str, ...]


@attrs.frozen
class DomainNotAccepted(Rejected):
    """The shop takes no addresses of this mail domain, whoever has them.

    ``reason`` is ``blocked``, ``not_allowed``, ``disposable`` or ``no_mail``.
    """

    code = "registration.domain_not_accepted"
    kind = Kind.INVALID
    reason: str


@attrs.frozen
class HumanCheckNeeded(Rejected):
    """A puzzle that only people solve has to be solved first."""

    code = "registration.human_check_needed"
    kind = Kind.THROTTLED


@attrs.frozen
class UsernameNotAllowed(Rejected):
    """This can't be a user name.

    ``reason`` is ``off`` (the shop has none), ``form``, ``length`` or ``reserved``.
    """

    code = "registration.username_not_allowed"
    kind = Kind.INVALID
    reason: str


@attrs.frozen
class UsernameTaken(Rejected):
    """Somebody else has this user name, had it lately, or has one that looks like it."""

    code = "registration.username_taken"
    kind = Kind.CONFLICT


@attrs.frozen
class InvitationForAnotherContact(Rejected):
    """The invitation was meant for another address than this one."""

    code = "registration.invitation_for_another_contact"
    kind = Kind.FORBIDDEN


@attrs.frozen
class InvitationUnknown(Rejected):
    """The customer has no such open invitation; another customer's is answered the same."""

    code = "registration.invitation_unknown"
    kind = Kind.NOT_FOUND


@attrs.frozen
class AddressHasAccount(Rejected):
    """The address has an account already, so none is made for it; told to the shop's own people only."""

    code = "registration.address_has_account"
    kind = Kind.CONFLICT


@attrs.frozen
class ContactBelongsElsewhere(Rejected):
    """Another account signs in by this contact; told only to whoever has just proven it.

    If that account is yours too, sign in to it, or have the two made one.
    """

    code = "registration.contact_belongs_elsewhere"
    kind = Kind.CONFLICT
    contact_kind: str


@attrs.frozen
class ChangeNotPossible(Rejected):
    """The contact, or its change, is not in a state for that."""

    code = "registration.change_not_possible"
    kind = Kind.CONFLICT
    state: str


@attrs.frozen
class OnHold(Rejected):
    """The sign-in address was changed a short while ago; until then nothing of value leaves the account."""

    code = "registration.on_hold"
    kind = Kind.FORBIDDEN
    until: datetime
