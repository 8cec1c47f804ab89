"""The second step of signing in."""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, Notices
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.tickets import check_handle, fits, selector_in
from shopaccounts.passwords import PASSWORDS
from shopaccounts.signin.admitting import CROWD, Admission, Arrival
from shopaccounts.signin.answers import Answer, SentCodeAnswer, read_answer
from shopaccounts.signin.authenticators import AUTHENTICATORS, Authenticators
from shopaccounts.signin.errors import CodeWrong, ProgressEnded, WayNotOffered
from shopaccounts.signin.events import SecondFactorMissed, SecondFactorUnderAttack
from shopaccounts.signin.factor_check import FactorCheck, Memory, Proven, Tried, Wrong
from shopaccounts.signin.model import DEVICES, FactorOption, SecondFactorNeeded, SignInStep
from shopaccounts.signin.progress import (
    PROGRESS,
    PROGRESSES,
    WRONG_ANSWERS,
    Progress,
    answered,
    given_up,
    is_over,
    missed,
)
from shopaccounts.signin.throttling import Attempts

__all__ = ["HalfDone", "SecondStep", "UnderWay"]

_DAY: Final = timedelta(days=1)
_NO_ANSWER: Final = "none"


@attrs.frozen(kw_only=True)
class UnderWay:
    """A half-done sign-in that can be gone on with, and what its second step is held against."""

    progress: Progress
    tried: Tried
    found: Found[Progress]
    options: tuple[FactorOption, ...]

    def asked_for(self, proven: Proven) -> bool:
        """Tell whether what was proven is one of the things that the account was asked for.

        What proved the first step proves no second one, however right it is.
        """
        if proven.proof.method in {Method.PASSWORD, Method.RECOVERY_CODE}:
            return True
        if proven.proof.method is Method.PASSKEY:
            return proven.used not in self.progress.shown
        return proven.used in {option.factor for option in self.options}


@attrs.frozen(kw_only=True)
class HalfDone:
    """Finds half-done sign-ins by their handles."""

    desk: Desk
    records: Records
    admission: Admission

    async def under_way(self, progress: Secret[str], context: RequestContext) -> UnderWay:
        """Answer a half-done sign-in that can be gone on with here and now.

        Raises:
            ProgressEnded: It can't.
        """
        found = await self.find(progress)
        customer, security = (found[CUSTOMERS], found[SECURITY]) if found else (None, None)
        if found is None or customer is None or security is None:
            raise ProgressEnded
        if is_over(found.it, security, context, self.desk.now()):
            raise ProgressEnded
        tried = Tried(
            customer=customer,
            security=security,
            own=found[AUTHENTICATORS],
            password=found[PASSWORDS],
            devices=found[DEVICES],
            bound=f"progress {found.it.id}",
            context=context,
        )
        asked = self.admission.gate.offered.second_step(
            customer, tried.own, tried.password, found.it.proofs, found.it.shown
        )
        return UnderWay(progress=found.it, tried=tried, found=found, options=asked.options if asked else ())

    async def find(self, handle: Secret[str]) -> Found[Progress] | None:
        """Answer the half-done sign-in of this handle, over or not, with what is read along; None if there is none.

        Raises:
            InvalidInput: Not even a secret text, or longer than any handle.
        """
        check_handle(handle)
        selector = selector_in(handle, PROGRESS)
        brought = (CUSTOMERS.via("account"), *self.admission.bring("account"))
        found = await got(self.records.find(PROGRESSES, selector, bring=brought)) if selector else None
        return found if found and fits(handle, PROGRESS, found.it.realm, found.it.id, found.it.digest) else None


@attrs.frozen(kw_only=True)
class SecondStep:
    """Goes on with a half-done sign-in."""

    desk: Desk
    records: Records
    work: DueWork
    half_done: HalfDone
    check: FactorCheck
    admission: Admission
    attempts: Attempts
    notices: Notices
    transport: TransportPolicy

    async def give_second_factor(
        self,
        progress: Secret[str],
        answer: Answer,
        context: RequestContext,
        *,
        trust_device: bool = False,
        remember: bool = False,
    ) -> SignInStep:
        """Give what the account asks for after the first proof.

        Args:
            progress: The handle from ``SecondFactorNeeded``.
            answer: One of its options.
            context: Where the request came from.
            trust_device: Let this device stand for the second step from now on, where the shop allows that.
            remember: Keep the session beyond the browser's.

        Returns:
            What the proofs lead to; match on it.

        Raises:
            CodeWrong: That isn't it; so many answers are left.
            ProgressEnded: It was too long ago, answered too often, or began in another browser.
            WayNotOffered: The account wasn't asked for this.
            TooManySessions: The account has as many sessions as it may have, where the shop refuses one more.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters or the hasher are not available.
            InvalidInput: That is no answer, or something in it is no text, or endless.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        given = read_answer(answer)
        memory: Memory = {}

        async def decide() -> tuple[SignInStep, Customer]:
            under_way = await self.half_done.under_way(progress, context)
            if not any(_answers(given, option) for option in under_way.options):
                raise WayNotOffered(type(given).__name__)
            outcome = await self.check.judge(under_way.tried, given, memory)
            if isinstance(outcome, Wrong) or not under_way.asked_for(outcome):
                part = outcome.part if isinstance(outcome, Wrong) else self.check.used_up(under_way.tried.own, outcome)
                raise CodeWrong(await self._note_missed(under_way, part, memory))
            step = await self._complete(under_way, outcome, context, trust_device=trust_device, remember=remember)
            return step, under_way.tried.customer

        step, customer = await self.desk.retrying(decide, CROWD)
        return await self.admission.follow_up(step, customer, context)

    async def cancel_sign_in(self, progress: Secret[str], context: RequestContext) -> None:
        """Give up a half-done sign-in; one that is over stays so.

        From a browser that the account doesn't know this counts as no answer: its owner hears of it all the same.

        Args:
            progress: The handle from ``SecondFactorNeeded``.
            context: Where the request came from.

        Raises:
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)

        async def decide() -> None:
            found, now = await self.half_done.find(progress), self.desk.now()
            if found is not None and found.it.ended_at is None and now < found.it.expires_at:
                await self.desk.record(Change(writes=(PROGRESSES.change(found.it, given_up(found.it, now)),)))

        await self.desk.retrying(decide)

    async def tell_unanswered(self, limit: int, worker: WorkerId) -> int:
        """Tell owners of up to *limit* sign-ins, from browsers that nobody knows, that got no answer; answer how many.

        Safe to run at any time, twice, and by many workers.
        """
        return await work_off(self.desk.by_itself, self.work, PROGRESSES, self._unanswered, limit, worker)

    async def _complete(
        self, under_way: UnderWay, proven: Proven, context: RequestContext, *, trust_device: bool, remember: bool
    ) -> SignInStep:
        now, progress, tried = self.desk.now(), under_way.progress, under_way.tried
        used = self.check.used_up(tried.own, proven)
        arrival = Arrival(
            customer=tried.customer,
            found=under_way.found,
            proofs=(*progress.proofs, proven.proof),
            used=used | Change(writes=(PROGRESSES.change(progress, answered(progress, now)),)),
            failures=progress.failures,
            shown=tried.own.contacts_of(proven.used) if tried.own else frozenset(),
            counted=progress.counted,
            is_complete=True,
            trusts_device=trust_device,
        )
        step = await self.admission.admit(arrival, context, now, remember=remember or progress.remember)
        await self.check.succeeded(proven)
        return step if isinstance(step, SecondFactorNeeded) else attrs.evolve(step, recovery_code=proven.handed_out)

    # Missing it

    async def _note_missed(self, under_way: UnderWay, part: Change, memory: Memory) -> int:
        """Record a wrong answer, and answer how many are left."""
        now, progress = self.desk.now(), under_way.progress
        tried = under_way.tried
        after = missed(progress, now)
        change = part | Change(writes=(PROGRESSES.change(progress, after),))
        if after.ended_at is not None:
            own = None if any(write.book is AUTHENTICATORS for write in part.writes) else tried.own
            change |= await self._missed(tried.customer, own, "wrong", progress, now)
        if "missed" not in memory:
            memory["missed"] = await self.attempts.missed(tried.account, now)
        if memory["missed"] is not None:
            change |= await self._under_attack(tried.customer, memory["missed"], progress, now)
        await self.desk.record(change)
        return WRONG_ANSWERS - after.wrong

    async def _unanswered(self, progress: Progress) -> Change:
        now = self.desk.now()
        found = await got(self.records.find(CUSTOMERS, progress.account, bring=(AUTHENTICATORS.via(),)))
        over = Change(writes=(PROGRESSES.change(progress, answered(progress, now)),))
        return over | await self._missed(found.it, found[AUTHENTICATORS], _NO_ANSWER, progress, now) if found else over

    async def _missed(
        self, customer: Customer, own: Authenticators | None, reason: str, progress: Progress, now: datetime
    ) -> Change:
        """Answer what follows when nobody could give the second step.

        The owner is told once a day, unless what the account has enrolled (*own*) changes with it anyway.
        """
        desk = self.desk.by_itself if reason == _NO_ANSWER else self.desk
        told = Change(events=desk.tell(SecondFactorMissed(at=now, account=customer.id, reason=reason)))
        if own is None or (own.warned_at is not None and now - own.warned_at < _DAY):
            return told
        warned = Change(writes=(AUTHENTICATORS.change(own, attrs.evolve(own, warned_at=now)),))
        key = f"second_factor_missed {progress.id}"
        return told | warned | await self.notices.about(customer, "signin.second_factor_missed", key, now)

    async def _under_attack(self, customer: Customer, failures: int, progress: Progress, now: datetime) -> Change:
        event = SecondFactorUnderAttack(at=now, account=customer.id, failures=failures)
        key = f"second_factor_under_attack {progress.id} {progress.version}"
        notice = await self.notices.about(customer, "signin.second_factor_under_attack", key, now)
        return notice | Change(events=self.desk.tell(event))


def _answers(given: Answer, option: FactorOption) -> bool:
    """Tell whether something given answers an option; a code that was sent does where it names the same factor."""
    return option.kind in given.kinds and (not isinstance(given, SentCodeAnswer) or given.factor == option.factor)
