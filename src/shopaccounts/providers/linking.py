"""Linking an account with an identity, confirming with one, and unlinking.

* Who links has proven a short while ago that the account is theirs, and comes straight from the provider.
* Who is offered a link has signed in since, to that account, in the browser that the offer was made to, and says yes.
* Unlinking leaves a way in. The sessions that rest on the identity are over; the one in which its owner unlinks goes on
  if it rests on something else too.
* To confirm, it has to be an identity of this very account, and a sign-in there that isn't older than may be.
"""

from datetime import datetime

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, Notices, customer_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import level_of
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, NextValue, Present
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.web import SESSION_COOKIE, ClearCookie
from shopaccounts.passwords import PASSWORDS
from shopaccounts.providers.deciding import BelongsElsewhere, LinkedAlready, decide_linking
from shopaccounts.providers.entering import filled_in
from shopaccounts.providers.errors import IdentityTaken, IdentityUnknown, Why
from shopaccounts.providers.events import IdentityLinked, IdentityUnlinked
from shopaccounts.providers.id_tokens import VerifiedIdentity
from shopaccounts.providers.keeping import Keeping, one_more_link, proof_of, summary
from shopaccounts.providers.model import FlowTrigger, LinkOutcome, ProviderTokens, Unlinked, WaitingIdentity
from shopaccounts.providers.steps import Spent, Steps
from shopaccounts.signin import (
    AUTHENTICATORS,
    SESSIONS,
    Attempts,
    Confirmation,
    EndReason,
    Gate,
    Identity,
    Proven,
    Session,
    end,
    identity_key,
)
from shopaccounts.signin.events import StepUpRefused

__all__ = ["Linker"]


@attrs.frozen(kw_only=True)
class Linker:
    """Links and unlinks, for somebody who is signed in."""

    desk: Desk
    records: Records
    doorkeeper: Doorkeeper
    steps: Steps
    keeping: Keeping
    gate: Gate
    confirmation: Confirmation
    attempts: Attempts
    notices: Notices

    async def link(
        self,
        here: Present,
        who: WaitingIdentity,
        spent: Spent,
        used: Change,
        identity: VerifiedIdentity | None = None,
        tokens: ProviderTokens | None = None,
    ) -> LinkOutcome:
        """Store a link, and answer it; decided anew when somebody was faster.

        Args:
            here: Who is signed in.
            who: The identity.
            spent: The flow that it came by.
            used: What else is used up.
            identity: What the provider told just now; None if that was a while ago.
            tokens: What came along.

        Raises:
            IdentityTaken: Another account is linked with it; nothing has changed.
            TooManyIdentities: The account is linked with as many as it may be.
            StaleWrite, Taken: Somebody was faster.
        """
        found = await got(self.records.find(AUTHENTICATORS, identity_key(who.issuer, who.subject), by="identity"))
        decision, own = decide_linking(found.it.id if found else None, here.account), here[AUTHENTICATORS]
        if isinstance(decision, BelongsElsewhere):
            raise IdentityTaken
        known = own.linked_with(who.issuer, who.subject) if own else None
        if isinstance(decision, LinkedAlready) and known is not None:
            await self.desk.record(used | spent.part(FlowTrigger.FINISH))
            return LinkOutcome(identity=summary(known), next_value=None)
        return await self._link(here, who, used | spent.part(FlowTrigger.FINISH), identity, tokens)

    async def confirm(
        self, here: Present, identity: VerifiedIdentity, spent: Spent, used: Change, context: RequestContext
    ) -> NextValue:
        """Take a provider's word as a fresh proof of whoever is signed in.

        Raises:
            ProviderRefused: It is somebody else there; that counts as a failure.
        """
        own = here[AUTHENTICATORS]
        link = own.linked_with(identity.issuer, identity.subject) if own else None
        if own is None or link is None:
            now = self.desk.now()
            await self.attempts.failed(context.network, now)
            told = StepUpRefused(at=now, account=here.account, session=here.session)
            await self.steps.refuse(spent, Why.IDENTITY, context, used | Change(events=self.desk.tell(told)))
        after = await self.keeping.used(link, here.account, None)
        part = used | spent.part(FlowTrigger.FINISH)
        proven = Proven(proof=proof_of(identity, after), own=own.with_identity(after), used=link.id, part=part)
        return await self.confirmation.go_on(here, proven)

    async def unlink(self, here: Present, id: str) -> Unlinked:
        """Store that an identity opens the account no more.

        Raises:
            IdentityUnknown: The account has no such identity.
            LastWayIn: Nothing else would open the account.
        """
        customer, own, now = customer_of(here), here[AUTHENTICATORS], self.desk.now()
        link = own.identity(id) if own else None
        if own is None or link is None:
            raise IdentityUnknown
        left = attrs.evolve(own, identities=tuple(other for other in own.identities if other.id != id))
        record = here[PASSWORDS]
        self.gate.offered.check_way_stays(customer, left, record)
        told = IdentityUnlinked(at=now, account=here.account, identity=id, provider=link.provider)
        relied_on = PASSWORDS.unchanged(record) if record else PASSWORDS.absent(here.account)
        written = Change(
            writes=(AUTHENTICATORS.change(own, left),),
            guards=(CUSTOMERS.unchanged(customer), relied_on),
            events=self.desk.tell(told),
        )
        answer, session = self._after_unlinking(here, id, now)
        notice = await self._notice(here, customer, "providers.unlinked", link)
        await self.desk.record(written | session | notice)
        return answer

    async def _link(
        self,
        here: Present,
        who: WaitingIdentity,
        used: Change,
        identity: VerifiedIdentity | None,
        tokens: ProviderTokens | None,
    ) -> LinkOutcome:
        customer, now = customer_of(here), self.desk.now()
        filled = self.keeping.filling(customer, identity.fields if identity else {})
        link = await self.keeping.link(who, here.account, tokens, filled)
        write = one_more_link(here[AUTHENTICATORS], here.account, customer.realm, link)
        next_value, session = self.doorkeeper.hand_on(here, here.security.bump(Stamp.PROVIDERS), now)
        told = IdentityLinked(at=now, account=here.account, identity=link.id, provider=link.provider)
        written = Change(writes=(write, *filled_in(customer, filled)), events=self.desk.tell(told))
        notice = await self._notice(here, customer, "providers.linked", link)
        await self.desk.record(used | written | session | notice)
        return LinkOutcome(identity=summary(link), next_value=next_value)

    async def _notice(self, here: Present, customer: Customer, template: str, link: Identity) -> Change:
        key = f"{template} {link.id}"
        provider = {"provider": link.provider}
        now = self.desk.now()
        return await self.notices.about(customer, template, key, now, where=here.where, variables=provider)

    def _after_unlinking(self, here: Present, id: str, now: datetime) -> tuple[Unlinked, Change]:
        """Answer how the session goes on without what rested on an identity; it ends if nothing else is left."""
        session: Session = here.found.it
        moved = here.security.bump(Stamp.PROVIDERS)
        written = Change(writes=(SECURITY.change(here.security, moved),))
        proofs = tuple(proof for proof in session.auth.proofs if proof.identity != id)
        if not proofs:
            over = SESSIONS.change(session, end(session, EndReason.UNLINKED, now))
            gone = Unlinked(next_value=None, clear_cookies=(ClearCookie(SESSION_COOKIE),))
            return gone, written | Change(writes=(over,))
        rotated, text = self.gate.rotated(session, moved, now)
        level = min(session.auth.level, level_of(proofs))
        successor = attrs.evolve(rotated, auth=attrs.evolve(session.auth, proofs=proofs, level=level))
        next_value = NextValue(
            session=text, public_id=successor.public_id, set_cookies=(self.gate.cookie(successor, text, now),)
        )
        part = self.gate.replaced(session, EndReason.ROTATED, successor, now)
        return Unlinked(next_value=next_value, clear_cookies=()), written | part
