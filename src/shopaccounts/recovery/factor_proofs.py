"""What somebody can show who is stuck at the second step: a half-done sign-in, and codes that came by other ways.

* The half-done sign-in shows that the password was right a few minutes ago, in this browser. Without one nobody is told
  anything.
* The codes belong to that half-done sign-in. They go to what is on record, never to what somebody types.
* Each wrong code is counted, on the account and on the code. [NIST SP 800-63B-4 3.2.2]
"""

from collections.abc import Collection
from typing import Final, TypeAlias

import attrs

from shopaccounts.customers import AccountStatus, ContactPoint, Customer, is_stale
from shopaccounts.customers import as_of as customer_as_of
from shopaccounts.kernel.assurance import Method
from shopaccounts.kernel.codes import Verdict
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import Phones
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.tickets import read_selector
from shopaccounts.recovery.cases import CASE_CODE, CaseState
from shopaccounts.recovery.errors import CaseClosed, ProofsMissing
from shopaccounts.recovery.policy import CasePolicy
from shopaccounts.recovery.proof_sets import Shown, mailbox_of, phone_of
from shopaccounts.signin import (
    Attempts,
    CodeExhausted,
    CodeSent,
    CodeWrong,
    HalfDone,
    SentCode,
    SentCodeAnswer,
    SentCodes,
    Tried,
    UnderWay,
    WayNotOffered,
    read_answer,
)

__all__ = ["FactorProofs", "read_codes"]

_MOST_CODES: Final = 2
_METHODS: Final = {Channel.EMAIL: Method.EMAIL_CODE, Channel.SMS: Method.SMS_CODE}
_Counter: TypeAlias = tuple[str, Method]
_SHOWS: Final = {Channel.EMAIL: Shown.MAILBOX_CODE, Channel.SMS: Shown.PHONE_CODE}


@attrs.frozen(kw_only=True)
class FactorProofs:
    """Looks what is shown, and sends the codes for it."""

    desk: Desk
    half_done: HalfDone
    codes: SentCodes
    attempts: Attempts
    phones: Phones
    policy: CasePolicy

    async def under_way(self, progress: Secret[str], context: RequestContext) -> UnderWay:
        """Answer a half-done sign-in that began with the right password.

        Raises:
            ProgressEnded: There is none that can be gone on with here and now.
            ProofsMissing: It began in another way.
            CaseClosed: The account isn't active.
        """
        found = await self.half_done.under_way(progress, context)
        if not any(proof.method is Method.PASSWORD for proof in found.progress.proofs):
            raise ProofsMissing(needed=(Shown.PASSWORD.value,))
        if self.customer(found).status is not AccountStatus.ACTIVE:
            raise CaseClosed(CaseState.BLOCKED.value)
        return found

    def customer(self, under_way: UnderWay) -> Customer:
        """Answer whose half-done sign-in it is, as they are now."""
        return customer_as_of(under_way.tried.customer, self.desk.now())

    async def charge_message(self, under_way: UnderWay, channel: Channel, context: RequestContext) -> None:
        """Charge one message to the mailbox or phone that vouches.

        Raises:
            WayNotOffered: Nothing vouches by this way.
            Throttled, TryLater, CountryNotServed: It can't be sent now, or not there.
        """
        await self.codes.charge(self._point(under_way.tried, channel).value, context)

    async def send(self, under_way: UnderWay, channel: Channel, context: RequestContext) -> tuple[CodeSent, Change]:
        """Answer a code that is on its way, and what is recorded."""
        tried, point = under_way.tried, self._point(under_way.tried, channel)
        return await self.codes.send_to(point, tried.customer, tried.security, CASE_CODE, tried.bound, context)

    async def charge(
        self, under_way: UnderWay, given: Collection[SentCodeAnswer], context: RequestContext
    ) -> frozenset[_Counter]:
        """Charge one try for each code, before any of them is looked at; answer on which counters.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: A handle is of no use here.
            Throttled, TryLater: Too many tries, or the counters are not available.
        """
        sent = [await self._sent(under_way, answer) for answer in given]
        counters = frozenset((under_way.tried.account, _METHODS[one.channel]) for one in sent)
        for subject, method in sorted(counters, key=str):
            await self.attempts.charge(
                subject, context.network, self.desk.now(), authenticator=method, rule=self.policy.waits
            )
        return counters

    async def shown(self, under_way: UnderWay, given: Collection[SentCodeAnswer]) -> tuple[frozenset[Shown], Change]:
        """Answer all that is shown, and the part of a change that uses the codes up.

        Raises:
            CodeWrong, CodeExhausted: One of them isn't the code; that is on record.
        """
        shown, used, now = {Shown.PASSWORD}, Change(), self.desk.now()
        for answer in given:
            sent = await self._sent(under_way, answer)
            judged = await self.codes.judge(sent, answer.code, now)
            if judged.verdict is Verdict.EXHAUSTED:
                raise CodeExhausted
            if judged.verdict is Verdict.WRONG:
                await self.desk.record(judged.part)
                raise CodeWrong(judged.tries_left)
            if sent.contact == self._point(under_way.tried, sent.channel).id:
                shown.add(_SHOWS[sent.channel])
            used |= judged.part
        return frozenset(shown), used

    async def succeeded(self, counted: Collection[_Counter]) -> None:
        """Forget the tries on the counters that were charged for codes that were right."""
        for subject, method in counted:
            await self.attempts.succeeded(subject, authenticator=method)

    async def _sent(self, under_way: UnderWay, answer: SentCodeAnswer) -> SentCode:
        return (await self.codes.find(CASE_CODE, answer.handle, bound=under_way.tried.bound)).it

    def _point(self, tried: Tried, channel: Channel) -> ContactPoint:
        """Answer where codes by this way go.

        Raises:
            WayNotOffered: Nothing vouches by this way.
        """
        by_phone = phone_of(tried.customer, tried.own, self.policy, self.desk.now())
        if by_phone is not None and is_stale(by_phone, self.phones.policy.stale_after, self.desk.now()):
            by_phone = None
        point = {Channel.EMAIL: mailbox_of(tried.customer), Channel.SMS: by_phone}.get(channel)
        if point is None or channel not in {Channel.EMAIL, *self.phones.channels}:
            raise WayNotOffered(channel.value)
        return point


def read_codes(codes: object) -> tuple[SentCodeAnswer, ...]:
    """Answer the codes that somebody gave, one for each message.

    Raises:
        InvalidInput: It isn't one or two codes, each with another handle.
        ResetLinkInvalid: A handle is none of a code.
    """
    if not isinstance(codes, tuple | list) or len(codes) > _MOST_CODES:
        raise InvalidInput(field="codes")
    given = tuple(one for one in map(read_answer, codes) if isinstance(one, SentCodeAnswer))
    if len(given) < len(codes):
        raise InvalidInput(field="codes")
    handles = {read_selector(one.handle, CASE_CODE.handle) for one in given}
    if len(handles) < len(given):
        raise InvalidInput(field="codes")
    return given
