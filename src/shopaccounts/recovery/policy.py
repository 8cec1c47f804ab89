"""How lost passwords are replaced in this shop."""

from datetime import timedelta
from enum import Enum

import attrs

from shopaccounts.kernel.codes import MAX_CODE_LIFE
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.policy import require

__all__ = ["CasePolicy", "ResetPolicy", "SecondFactorAt", "SecurityQuestionsPolicy"]

MAX_LINK_LIFE = timedelta(hours=24)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_MOST_QUESTIONS = 5


class SecondFactorAt(Enum):
    """When who sets a new password is asked for the second factor of the account."""

    SIGN_IN = "sign_in"
    RESET = "reset"


@attrs.frozen(kw_only=True)
class ResetPolicy:
    """How long a reset link or code lives, and what it may do.

    Args:
        link_life: How long a link works; whole hours, as its mail says.
        sms_code_life: How long a code works that went to a phone; whole minutes, as its message says.
        channels: By which ways one may ask; of phones those that the shop can reach.
        second_factor_at: When who has a second factor is asked for it. An account with its owner's own hold on it is
            asked at the reset anyway, since that lifts the hold.
        creates_first_password: Whether who has no password may set a first one this way.

    Why these defaults:
        link_life: one hour; NIST SP 800-63B-4 4.2.1.2 allows 24 hours by e-mail.
        sms_code_life: ten minutes, the most that NIST SP 800-63B-4 4.2.1.2 allows.
        channels: e-mail and text message, of the house.
        second_factor_at: at the next sign-in, which is as safe for what is in the account. ASVS-L2 and NIST profiles
            ask at the reset. [OWASP ASVS 6.4.3; NIST SP 800-63B-4 4.2.2.2]
        creates_first_password: who has no password may set a first one this way, having proven the mailbox.
    """

    link_life: timedelta = timedelta(hours=1)
    sms_code_life: timedelta = MAX_CODE_LIFE
    channels: frozenset[Channel] = frozenset({Channel.EMAIL, Channel.SMS})
    second_factor_at: SecondFactorAt = SecondFactorAt.SIGN_IN
    creates_first_password: bool = True

    def __attrs_post_init__(self) -> None:
        require(_HOUR <= self.link_life <= MAX_LINK_LIFE, "a link lives 1 to 24 hours [NIST 4.2.1.2]")
        require(self.link_life % _HOUR == timedelta(0), "a link lives whole hours, as its message says")
        is_short = timedelta(0) < self.sms_code_life <= MAX_CODE_LIFE
        require(is_short, "a code to a phone lives 10 minutes at most [NIST 4.2.1.2]")
        require(self.sms_code_life % _MINUTE == timedelta(0), "a code lives whole minutes, as its message says")
        require(Channel.EMAIL in self.channels, "who signs in by e-mail gets a new password by e-mail")


@attrs.frozen(kw_only=True)
class SecurityQuestionsPolicy:
    """Whether customers may protect the way back in with questions as well.

    **Warning.** Answers can be guessed, looked up, or asked for by a friendly stranger; they are forgotten more often
    than passwords. OWASP ASVS 6.4.2 and NIST SP 800-63B-4 3.1.1.2(8) forbid them. Here they are never a way in: whoever
    has proven the mailbox may be asked for them too.

    Args:
        enabled: Whether they are offered.
        accept_risk: That somebody has read the warning.
        need: How many answers have to be right.
        of: How many a customer sets.
        waits: How fast one may guess; only success forgets.
        disable_after: After so many failures in a row they are asked no more.
        review_after: How long until the customer is asked whether the answers still hold.

    Why these defaults:
        enabled, accept_risk: no; both standards forbid them. [OWASP ASVS 6.4.2; NIST SP 800-63B-4 3.1.1.2(8)]
        need, of: two of three, so that one forgotten answer keeps nobody out; of the house.
        waits: five tries free, then a minute doubling to an hour. [NIST 3.2.2]
        disable_after: 20, of the house.
        review_after: a year, of the house. [OWASP ASVS 6.4.5]
    """

    enabled: bool = False
    accept_risk: bool = False
    need: int = 2
    of: int = 3
    waits: Wait = Wait(free=5, base=timedelta(seconds=60), cap=timedelta(hours=1), forget_after=None)
    disable_after: int = 20
    review_after: timedelta = timedelta(days=365)

    def __attrs_post_init__(self) -> None:
        accepted = not self.enabled or self.accept_risk is True
        require(accepted, "security questions are enabled by who accepts their risk [ASVS 6.4.2, NIST 3.1.1.2(8)]")
        require(self.need >= 2, "at least two answers have to be right")  # noqa: PLR2004  (one could be guessed)
        require(
            self.need <= self.of <= _MOST_QUESTIONS,
            f"customers set at least as many as they need, at most {_MOST_QUESTIONS}",
        )
        require(self.disable_after >= self.waits.free, "the free tries come before the end of all tries")
        require(self.review_after >= timedelta(days=30), "nobody is asked to look again within a month")


@attrs.frozen(kw_only=True)
class CasePolicy:
    """How somebody gets back in who lost the second factor, the mailbox, or everything.

    Args:
        link_life: How long the links and codes of a case work; whole hours, as their mails say.
        factor_by_two_methods: How long a lost second factor waits if the password was shown, and codes from the mailbox
            and from a phone that is no second factor; None: not offered.
        factor_by_mailbox: How long it waits if the password and a code from the mailbox were shown; None: not offered.
        factor_by_mailbox_takes_agent: Whether an agent has to vouch as well where no phone was shown.
        mailbox_by_two_factors: How long a lost mailbox waits if two factors were shown; None: not offered.
        mailbox_by_recovery_address: How long it waits if the password and a recovery address were shown, and how long
            that address has to have been proven before; None: not offered.
        mailbox_by_phone: Likewise, if the password and a phone were shown.
        everything_by_agents: How long it waits if two agents vouch for somebody who lost everything; None: not offered.
        ready_for: How long a case may be completed once it has waited.
        tell_every: How often everybody hears of a case that waits, and how often its links are renewed when it is
            ready.
        reopen_after: How long after one was cancelled no other can be opened.
        hold_after: How long after it was completed nothing of value leaves the account.
        least_evidence: How many kinds of evidence an agent has to have checked.
        proofs_within: How old a password or factor may be that counts.
        waits: How fast one may guess a code.

    Why these defaults:
        link_life: 24 hours. [NIST SP 800-63B-4 4.2.1.2]
        factor_by_two_methods: a day; whoever reads two messages by two ways is likely the owner, and the owner has a
            day to say no; of the house. [NIST SP 800-63B-4 4.2.2.2 asks for two]
        factor_by_mailbox: 72 hours, a weekend and a day to read one's mail; of the house. [OWASP ASVS 6.4.4]
        factor_by_mailbox_takes_agent: no; ASVS-L2 wants the customer's identity proven anew. [OWASP ASVS 6.4.4]
        mailbox_by_two_factors: 72 hours, a weekend and a day to read one's mail; of the house.
        mailbox_by_recovery_address, mailbox_by_phone, everything_by_agents: a week, of the house; whoever reads a mail
            once a week can still say no. [OWASP ASVS 6.4.4; NIST SP 800-63B-4 4.2.1.2 wants recovery addresses]
        ready_for: a week, of the house.
        tell_every: a day, of the house.
        reopen_after: a day, so that the owner gets to do something about it; of the house.
        hold_after: a week, of the house.
        least_evidence: two, so that one letter found in the bin is not enough; of the house.
        proofs_within: 15 minutes. [OWASP ASVS 7.5.1]
        waits: five tries free, then 30 seconds doubling to an hour. [NIST SP 800-63B-4 3.2.2]
    """

    link_life: timedelta = timedelta(hours=24)
    factor_by_two_methods: timedelta | None = timedelta(hours=24)
    factor_by_mailbox: timedelta | None = timedelta(hours=72)
    factor_by_mailbox_takes_agent: bool = False
    mailbox_by_two_factors: timedelta | None = timedelta(hours=72)
    mailbox_by_recovery_address: timedelta | None = timedelta(days=7)
    mailbox_by_phone: timedelta | None = timedelta(days=7)
    everything_by_agents: timedelta | None = timedelta(days=7)
    ready_for: timedelta = timedelta(days=7)
    tell_every: timedelta = timedelta(hours=24)
    reopen_after: timedelta = timedelta(hours=24)
    hold_after: timedelta = timedelta(days=7)
    least_evidence: int = 2
    proofs_within: timedelta = timedelta(minutes=15)
    waits: Wait = Wait(free=5, base=timedelta(seconds=30), cap=timedelta(hours=1), forget_after=timedelta(hours=24))

    def __attrs_post_init__(self) -> None:
        of_mailbox = (self.mailbox_by_two_factors, self.mailbox_by_recovery_address, self.mailbox_by_phone)
        waits = (self.factor_by_mailbox, *of_mailbox, self.everything_by_agents)
        require(all(wait is None or wait >= _DAY for wait in waits), "an owner has at least a day to say no")
        quick = self.factor_by_two_methods
        require(quick is None or quick >= timedelta(0), "nobody waits less than no time")
        require(_HOUR <= self.link_life <= MAX_LINK_LIFE, "a link lives 1 to 24 hours [NIST 4.2.1.2]")
        require(self.link_life % _HOUR == timedelta(0), "a link lives whole hours, as its message says")
        require(_HOUR <= self.tell_every <= _DAY, "everybody hears of a case that waits at least once a day")
        require(self.ready_for >= _DAY, "a case can be completed for at least a day")
        require(self.reopen_after >= _DAY, "an owner who said no has at least a day of peace")
        require(self.hold_after >= timedelta(0), "a hold has no negative length")
        require(self.least_evidence >= 1, "agents check something")
        require(self.proofs_within > timedelta(0), "a proof counts for a while")
