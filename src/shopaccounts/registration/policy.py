"""What differs between shops when somebody registers, or changes an address."""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.codes import MAX_CHALLENGE_LIFE, MAX_CODE_LIFE, CodeShape
from shopaccounts.kernel.limits import Window
from shopaccounts.kernel.policy import require

__all__ = [
    "AccountAction",
    "AccountNeed",
    "AccountRequirementPolicy",
    "Ask",
    "ConfirmOld",
    "ContactChangePolicy",
    "Disposable",
    "FieldRule",
    "InvitationPolicy",
    "OpenTo",
    "Presence",
    "RegistrationPolicy",
    "UsernamePolicy",
    "is_key",
]

MAX_TRIES = 10
MAX_CORRECTIONS = 10
MAX_USERNAME = 60
MAX_OPEN = 100
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
MAX_LINK_LIFE = timedelta(hours=24)
MAX_UNDO_WINDOW = timedelta(days=90)
MAX_FORM = 4000
"""The characters that all fields of a form may hold together."""
BIRTHDAY: Final = "birthday"
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


def is_key(name: object) -> bool:
    """Tell whether a field, a document or a purpose can have this name."""
    return isinstance(name, str) and _KEY.fullmatch(name) is not None


class OpenTo(Enum):
    """Who may open an account."""

    EVERYONE = "everyone"
    INVITED = "invited"
    NOBODY = "nobody"


class Presence(Enum):
    """Whether a field has to be filled in."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    HIDDEN = "hidden"


class Ask(Enum):
    """When a field is asked for."""

    AT_REGISTRATION = "at_registration"
    AFTER_FIRST_ORDER = "after_first_order"
    IN_PROFILE = "in_profile"


class Disposable(Enum):
    """What happens to addresses that live for a few minutes."""

    FLAG = "flag"
    ALLOW = "allow"
    REFUSE = "refuse"


@attrs.frozen(kw_only=True)
class FieldRule:
    """How one field of the profile is asked for.

    Args:
        longest: In characters.

    Why these defaults:
        presence: nothing is required that the shop doesn't ask for by name. [GDPR Art. 5(1)(c)]
        ask: at registration, where a field that the shop names is expected; of the house.
        longest: room for long names and companies; of the house.
    """

    presence: Presence = Presence.OPTIONAL
    ask: Ask = Ask.AT_REGISTRATION
    longest: int = 120

    def __attrs_post_init__(self) -> None:
        require(1 <= self.longest <= MAX_FORM, f"a field holds 1 to {MAX_FORM} characters")

    @property
    def is_on_the_form(self) -> bool:
        """Whether a registration form shows it."""
        return self.presence is not Presence.HIDDEN and self.ask is Ask.AT_REGISTRATION


@attrs.frozen(kw_only=True)
class UsernamePolicy:
    """Whether customers may have user names, and which.

    Args:
        reserved: Names that nobody may have, besides those of the library's list and of the shop.
        reserved_for: How long nobody else gets a name that was given up.
        lookups: How often one network may ask whether names are free.

    Why these defaults:
        enabled: off; an address is enough to sign in with.
        shortest, longest: 3 and 30, of the house.
        reserved: none besides the library's list; only the shop knows.
        reserved_for: 90 days, so that nobody is taken for the one who had the name; of the house.
        lookups: 20 an hour like messages, as every answer tells of an account. [OWASP ASVS 5.0 2.4.1]
    """

    enabled: bool = False
    shortest: int = 3
    longest: int = 30
    reserved: frozenset[str] = frozenset()
    reserved_for: timedelta = timedelta(days=90)
    lookups: Window = Window(limit=20, per=_HOUR)

    def __attrs_post_init__(self) -> None:
        require(1 <= self.shortest <= self.longest <= MAX_USERNAME, f"a user name has 1 to {MAX_USERNAME} characters")
        require(self.reserved_for >= timedelta(0), "a user name stays reserved for a while, or not")


@attrs.frozen(kw_only=True)
class InvitationPolicy:
    """How customers invite others.

    Args:
        life: How long an invitation may be taken up.
        open_at_most: Invitations of one customer that wait for an answer.
        per_inviter: How many a customer may send in which time.

    Why these defaults:
        life: 7 days, a weekend included; of the house.
        open_at_most, per_inviter: 20 open and 10 a day, enough for friends and too few for strangers; of the house.
    """

    life: timedelta = timedelta(days=7)
    open_at_most: int = 20
    per_inviter: Window = Window(limit=10, per=_DAY)

    def __attrs_post_init__(self) -> None:
        require(_DAY <= self.life <= 30 * _DAY, "an invitation lives for 1 to 30 days")
        require(self.life % _DAY == timedelta(0), "an invitation lives whole days, as its message says")
        require(1 <= self.open_at_most <= MAX_OPEN, f"1 to {MAX_OPEN} invitations may be open")


@attrs.frozen(kw_only=True)
class RegistrationPolicy:
    """How registration goes in this shop.

    Args:
        fields: The profile fields that the shop knows, by name; ``birthday`` is a date, ``time_zone`` a zone of the
            time zone database, every other one a line of text.
        required_terms: The documents that must be accepted, with the version in force.
        minimum_age: In years; it needs ``birthday`` as a required field.
        blocked_domains, allowed_domains: Mail domains in ASCII form with all below them; where some are allowed, only
            those are.
        human_check_after: What a network may register before a puzzle is asked for, in shops that have one; None
            never asks.
        fastest_form: Who fills in a form faster than that is a program.
        typo_corrections: How often the address of one attempt may be corrected.
        trust_imported_contacts: Believe that imported addresses were proven where they come from.

    Why these defaults:
        open_to: a shop wants customers.
        fields, required_terms, minimum_age: none; the shop says what it needs. [GDPR Art. 5(1)(c)]
        code_shape, code_life, code_tries: six digits, 10 minutes, 5 tries. [NIST SP 800-63B-4 3.1.3.2; ASVS 6.5]
        link_life: 24 hours, as NIST 4.2.1.2 allows for codes sent to an address.
        challenge_life: 30 minutes for all codes of one attempt together; of the house.
        attempts_per_network: 20 an hour; of the house. [ASVS 2.4.1]
        human_check_after: 3 an hour, so that a family never sees the puzzle. [OWASP ASVS 5.0 2.4.1]
        fastest_form: 2 seconds; nobody types an address and a password in less. [OWASP ASVS 5.0 2.4.2]
        disposable_domains: known but not refused. [OWASP Input Validation Cheat Sheet, Email Validation]
        blocked_domains, allowed_domains: none; only the shop knows.
        typo_corrections: 3, enough for a tired customer; of the house.
        trust_imported_contacts: another system's word is no proof; of the house.
        usernames, invitations: as these policies say themselves.
    """

    open_to: OpenTo = OpenTo.EVERYONE
    fields: Mapping[str, FieldRule] = MappingProxyType({})
    required_terms: Mapping[str, str] = MappingProxyType({})
    minimum_age: int | None = None
    code_shape: CodeShape = CodeShape()
    code_life: timedelta = timedelta(minutes=10)
    code_tries: int = 5
    link_life: timedelta = timedelta(hours=24)
    challenge_life: timedelta = timedelta(minutes=30)
    attempts_per_network: Window = Window(limit=20, per=_HOUR)
    human_check_after: Window | None = Window(limit=3, per=_HOUR)
    fastest_form: timedelta = timedelta(seconds=2)
    disposable_domains: Disposable = Disposable.FLAG
    blocked_domains: frozenset[str] = frozenset()
    allowed_domains: frozenset[str] = frozenset()
    typo_corrections: int = 3
    trust_imported_contacts: bool = False
    usernames: UsernamePolicy = UsernamePolicy()
    invitations: InvitationPolicy = InvitationPolicy()

    def __attrs_post_init__(self) -> None:
        require(timedelta(0) < self.code_life <= MAX_CODE_LIFE, "a code lives at most 10 minutes [NIST 3.1.3.2]")
        require(self.code_life <= self.challenge_life <= MAX_CHALLENGE_LIFE, "a challenge lives at most 30 minutes")
        require(self.code_life % _MINUTE == timedelta(0), "a code lives whole minutes, as its message says")
        require(1 <= self.code_tries <= MAX_TRIES, f"a code allows 1 to {MAX_TRIES} tries")
        require(timedelta(0) < self.link_life <= MAX_LINK_LIFE, "a link lives at most 24 hours [NIST 4.2.1.2]")
        require(0 <= self.typo_corrections <= MAX_CORRECTIONS, f"an address is corrected 0 to {MAX_CORRECTIONS} times")
        require(timedelta(0) <= self.fastest_form <= _MINUTE, "a form takes 0 to 60 seconds")
        self._check_form()
        domains = self.blocked_domains | self.allowed_domains
        require(all(map(_DOMAIN.fullmatch, domains)), "domains are written in small letters and ASCII form")

    def _check_form(self) -> None:
        names = [*self.fields, *self.required_terms]
        require(all(map(is_key, names)), "fields and documents are named in_small_letters")
        longest = sum(rule.longest for rule in self.fields.values())
        require(longest <= MAX_FORM, f"all fields together hold at most {MAX_FORM} characters")
        asked = self.fields.get(BIRTHDAY)
        told = asked is not None and asked.is_on_the_form and asked.presence is Presence.REQUIRED
        require(self.minimum_age is None or told, "a minimum age needs the birthday as a required field")


class ConfirmOld(Enum):
    """Whether a change is confirmed at the old address as well."""

    ALWAYS = "always"
    UNLESS_MULTI_FACTOR = "unless_multi_factor"


@attrs.frozen(kw_only=True)
class ContactChangePolicy:
    """How customers change the address that they sign in by.

    Args:
        confirm_old: Whether the old address has to agree.
        link_life: How long the links of a request work.
        undo_window: How long the old address hears of everything, is reserved, and can take the change back.
        hold_after: How long after a change nothing of value leaves the account.
        per_30_days: How many changes an account may ask for in 30 days.
        checks_per_30_days: How often the shop may ask one contact whether messages arrive, in 30 days.

    Why these defaults:
        confirm_old: both addresses where no second factor vouches for the customer. [OWASP Authentication Cheat Sheet]
        link_life: 24 hours. [NIST SP 800-63B-4 4.2.1.2]
        undo_window: 30 days, longer than a holiday; of the house.
        hold_after: 72 hours, a weekend and a day to read one's mail; of the house.
        per_30_days: 3, of the house.
        checks_per_30_days: 3, of the house.
    """

    confirm_old: ConfirmOld = ConfirmOld.UNLESS_MULTI_FACTOR
    link_life: timedelta = timedelta(hours=24)
    undo_window: timedelta = timedelta(days=30)
    hold_after: timedelta = timedelta(hours=72)
    per_30_days: int = 3
    checks_per_30_days: int = 3

    def __attrs_post_init__(self) -> None:
        require(timedelta(0) < self.link_life <= MAX_LINK_LIFE, "a link lives at most 24 hours [NIST 4.2.1.2]")
        require(timedelta(0) <= self.hold_after <= self.undo_window, "a hold ends within the time to take back")
        require(self.link_life <= self.undo_window <= MAX_UNDO_WINDOW, "a change can be taken back for up to 90 days")
        require(self.changes.limit >= 1 and self.checks.limit >= 1, "at least one in 30 days")

    @property
    def changes(self) -> Window:
        """How many changes one account may ask for."""
        return Window(limit=self.per_30_days, per=timedelta(days=30))

    @property
    def checks(self) -> Window:
        """How often one contact may be checked."""
        return Window(limit=self.checks_per_30_days, per=timedelta(days=30))


class AccountNeed(Enum):
    """Whether something takes an account."""

    NEVER = "never"
    OPTIONAL = "optional"
    REQUIRED = "required"


class AccountAction(Enum):
    """What a visitor may want to do beside buying."""

    SUBSCRIBE = "subscribe"
    KEEP_A_WISHLIST = "keep_a_wishlist"
    SHARE_A_WISHLIST = "share_a_wishlist"
    COLLECT_POINTS = "collect_points"
    REVIEW = "review"
    DOWNLOAD = "download"
    RETURN = "return"


_NEEDS: Final = MappingProxyType(
    {AccountAction.SUBSCRIBE: AccountNeed.REQUIRED, AccountAction.COLLECT_POINTS: AccountNeed.REQUIRED}
)


@attrs.frozen(kw_only=True)
class AccountRequirementPolicy:
    """For what a visitor needs an account; what isn't named is optional.

    Why these defaults:
        by_action: subscriptions and points last, so somebody must own them; everything else goes without, as forced
            registration is why carts are left behind. [Baymard Institute, reasons for abandonment]
    """

    by_action: Mapping[AccountAction, AccountNeed] = _NEEDS

    def need(self, action: AccountAction) -> AccountNeed:
        """Answer whether *action* takes an account."""
        return self.by_action.get(action, AccountNeed.OPTIONAL)

    def check_open(self, open_to: OpenTo) -> None:
        """Refuse to require accounts that nobody can open.

        Raises:
            BadPolicy: An action needs an account, and registration is open to nobody.
        """
        required = AccountNeed.REQUIRED in map(self.need, AccountAction)
        require(open_to is not OpenTo.NOBODY or not required, "nobody can open an account that something requires")
