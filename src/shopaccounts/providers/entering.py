"""What an identity that comes to the door leads to: a session, a new account, a question, or an offer to link."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, Notices, VerificationMethod, as_of, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Entity, Found, Write
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp, Stamps
from shopaccounts.passwords import PASSWORDS, prepare
from shopaccounts.providers.deciding import (
    AskForEmail,
    LinkAndSignIn,
    Open,
    Propose,
    SignInLinked,
    TellStatus,
    decide_identity,
)
from shopaccounts.providers.events import IdentityLinked, LinkProposed, UpstreamEmailDiffers
from shopaccounts.providers.id_tokens import VerifiedIdentity
from shopaccounts.providers.keeping import Keeping, one_more_link, proof_of, waiting
from shopaccounts.providers.model import (
    EMAIL_WANTED,
    FLOWS,
    LINK_PROPOSAL,
    EmailNeeded,
    FinishAnswer,
    FlowTrigger,
    LinkNeedsProof,
    ProviderTokens,
    StandsStill,
)
from shopaccounts.providers.policy import ProviderConfig
from shopaccounts.providers.steps import Spent, Steps
from shopaccounts.registration import BY_PROVIDER, Additions, Openings, RegistrationForm, Wish, arrival, require_open
from shopaccounts.signin import (
    AUTHENTICATORS,
    Admission,
    Arrival,
    Authenticators,
    Credentials,
    Identity,
    SignInRefused,
    SignInStep,
    identity_key,
)

__all__ = ["Comer", "Entering", "filled_in"]

T = TypeVar("T", bound=Entity)


@attrs.frozen(kw_only=True)
class Comer:
    """Somebody at the door, with a token that is believed.

    Args:
        spent: Their flow.
        used: The part of a change that the token uses up.
        tokens: What came along.
        form: What else the shop asks new customers.
        remember: Keep the session beyond the browser's.
    """

    identity: VerifiedIdentity
    config: ProviderConfig
    spent: Spent
    used: Change
    context: RequestContext
    tokens: ProviderTokens | None = None
    form: RegistrationForm | None = None
    remember: bool = False


@attrs.frozen(kw_only=True)
class Entering:
    """Lets in whoever a provider vouches for."""

    desk: Desk
    records: Records
    steps: Steps
    keeping: Keeping
    openings: Openings
    additions: Additions
    admission: Admission
    notices: Notices

    async def check_form(self, form: RegistrationForm) -> None:
        """Refuse a form that can't be registered with, before anybody is asked what it is for.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, DomainNotAccepted, PhoneInvalid, PhoneNotServed, FormRejected,
                TermsNotAccepted, TermsOutdated, InvalidInput: What was filled in.
        """
        if form.password is not None:
            prepare(form.password)
        await self.openings.wish(form)

    async def enter(self, comer: Comer) -> FinishAnswer:
        """Store what an identity leads to, and answer it; decided anew when somebody was faster.

        Raises:
            SignInRefused: The account is there no more.
            RegistrationNotOpen, FormRejected, TermsNotAccepted, TermsOutdated, DomainNotAccepted: No account is opened
                so; the flow goes on, to be finished with a better form.
            StaleWrite, Taken: Somebody was faster.
        """
        now = self.desk.now()
        linked, by_email = await self.linked(comer.identity), None
        if linked is not None and linked[CUSTOMERS] is None:
            raise SignInRefused
        if linked is None and comer.identity.proven_email is not None:
            by_email = await self._holder(comer.identity.proven_email)
            # Whoever has the address now may have come with this very identity since it was looked for.
            linked = await self.linked(comer.identity) if by_email is not None else None
        owner = as_of(by_email.it, now) if by_email else None
        decision = decide_identity(comer.identity, _customer(linked, now), owner, comer.config)
        match decision:
            case SignInLinked():
                return await self._sign_in(comer, _there(linked), now, differs=decision.email_differs)
            case AskForEmail():
                return await self._ask(comer)
            case Open():
                return await self._open(comer, by_email, now)
            case LinkAndSignIn():
                return await self._link_and_sign_in(comer, _there(by_email), decision.email, now)
            case Propose():
                return await self._propose(comer, _there(by_email), decision.email, now)
            case TellStatus():
                return await self._tell(comer, decision.owner)

    async def linked(self, identity: VerifiedIdentity) -> Found[Authenticators] | None:
        """Answer the account that is linked with an identity."""
        key = identity_key(identity.issuer, identity.subject)
        bring = (CUSTOMERS.via(), *self.admission.bring())
        return await got(self.records.find(AUTHENTICATORS, key, by="identity", bring=bring))

    async def _holder(self, email: EmailAddress) -> Found[Customer] | None:
        key = login_key(ContactKind.EMAIL, email.login_key)
        return await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=self.admission.bring()))

    # Known here

    async def _sign_in(self, comer: Comer, found: Found[Authenticators], now: datetime, *, differs: bool) -> SignInStep:
        own, customer = found.it, found[CUSTOMERS]
        link = own.linked_with(comer.identity.issuer, comer.identity.subject)
        if customer is None or link is None:
            raise SignInRefused
        used = await self.keeping.used(link, own.id, comer.tokens)
        told = (UpstreamEmailDiffers(at=now, account=own.id, provider=link.provider),) if differs else ()
        part = Change(writes=(AUTHENTICATORS.change(own, own.with_identity(used)),), events=self.desk.tell(*told))
        return await self._admit(comer, found, customer, used, part, now)

    async def _link_and_sign_in(
        self, comer: Comer, found: Found[Customer], email: EmailAddress, now: datetime
    ) -> SignInStep | LinkNeedsProof:
        customer, security = found.it, found[SECURITY]
        if security is None:
            raise SignInRefused
        filled = self.keeping.filling(customer, comer.identity.fields)
        link = await self.keeping.link(waiting(comer.identity), customer.id, comer.tokens, filled)
        if self._is_asked_for_more(comer, found, link):
            return await self._propose(comer, found, email, now)
        write = one_more_link(found[AUTHENTICATORS], customer.id, customer.realm, link)
        told = IdentityLinked(at=now, account=customer.id, identity=link.id, provider=link.provider)
        part = Change(
            writes=(write, SECURITY.change(security, security.bump(Stamp.PROVIDERS)), *filled_in(customer, filled)),
            events=self.desk.tell(told),
        )
        notice = await self.notices.about(
            customer, "providers.linked", f"linked {link.id}", now, bound=link.id, variables={"provider": link.provider}
        )
        return await self._admit(comer, found, customer, link, part | notice, now)

    def _is_asked_for_more(self, comer: Comer, found: Found[Customer], link: Identity) -> bool:
        """Tell whether the account asks for a second step; only who gives that may link it."""
        own, proofs = found[AUTHENTICATORS], (proof_of(comer.identity, link),)
        return self.admission.gate.offered.second_step(found.it, own, found[PASSWORDS], proofs) is not None

    async def _admit(
        self, comer: Comer, found: Found[Any], customer: Customer, link: Identity, part: Change, now: datetime
    ) -> SignInStep:
        arriving = Arrival(
            customer=customer,
            found=found,
            proofs=(proof_of(comer.identity, link),),
            used=comer.used | comer.spent.part(FlowTrigger.FINISH) | part,
        )
        step = await self.admission.admit(arriving, comer.context, now, remember=comer.remember)
        return await self.admission.follow_up(step, customer, comer.context)

    # New here

    async def _open(self, comer: Comer, found: Found[Customer] | None, now: datetime) -> SignInStep:
        require_open(self.openings.policy)
        form = comer.form or RegistrationForm(identifier="")
        filled = self._filling(comer, form)
        wish, known, proof = await self._wish(comer, form, filled), found.it if found else None, comer.spent.flow.id
        was = found[SECURITY] if found else None
        account, opened = arrival(
            self.desk, known, wish, VerificationMethod.PROVIDER, proof, now, way=BY_PROVIDER, security=was
        )
        link = await self.keeping.link(waiting(comer.identity), account.id, comer.tokens, filled)
        own = Authenticators(id=account.id, realm=account.realm, identities=(link,))
        earlier = found[AUTHENTICATORS] if found else None
        write = AUTHENTICATORS.change(earlier, own) if earlier else AUTHENTICATORS.add(own)
        told = IdentityLinked(at=now, account=account.id, identity=link.id, provider=link.provider)
        security: AccountSecurity = next(one.now for one in opened.writes if one.book is SECURITY)
        step, entered = self.admission.gate.let_in(
            account,
            security,
            Credentials(proofs=(proof_of(comer.identity, link),), own=own),
            comer.context,
            now,
            network=await self.admission.attempts.digest("network", comer.context.network),
            remember=comer.remember,
        )
        linked = Change(writes=(write,), events=self.desk.tell(told))
        if comer.identity.proven_email is not None:
            linked |= await self.additions.given_up(comer.identity.proven_email)
        await self.desk.record(opened | linked | entered | comer.used | comer.spent.part(FlowTrigger.FINISH))
        return step

    def _filling(self, comer: Comer, form: RegistrationForm) -> dict[str, str]:
        """Answer what the provider told that the person didn't fill in."""
        told = self.keeping.filling(None, comer.identity.fields)
        filled_in = form.fields if isinstance(form.fields, Mapping) else {}
        return {name: text for name, text in told.items() if not filled_in.get(name)}

    async def _wish(self, comer: Comer, form: RegistrationForm, filled: Mapping[str, str]) -> Wish:
        email, rules = comer.identity.proven_email, self.keeping.fields
        shown = {name: text for name, text in filled.items() if rules[name].is_on_the_form}
        fields = {**shown, **form.fields} if isinstance(form.fields, Mapping) else form.fields
        identifier = email.stored if email else ""
        wish = await self.openings.wish(attrs.evolve(form, identifier=identifier, password=None, fields=fields))
        return attrs.evolve(wish, details=attrs.evolve(wish.details, fields={**filled, **wish.details.fields}))

    async def _ask(self, comer: Comer) -> EmailNeeded:
        life = self.keeping.policy.email_life
        ticket, text = self.steps.following(comer.spent, EMAIL_WANTED, "", Stamps(), life)
        asked = attrs.evolve(comer.spent.after(FlowTrigger.ASK_FOR_EMAIL, ticket), waiting=waiting(comer.identity))
        await self.desk.record(comer.used | Change(writes=(FLOWS.change(comer.spent.flow, asked),)))
        return EmailNeeded(handle=text, expires_at=ticket.expires_at)

    async def _propose(
        self, comer: Comer, found: Found[Customer], email: EmailAddress, now: datetime
    ) -> LinkNeedsProof:
        owner, security = found.it, found[SECURITY]
        stamps, life = security.stamps if security else Stamps(), self.keeping.policy.proposal_life
        ticket, text = self.steps.following(comer.spent, LINK_PROPOSAL, owner.id, stamps, life)
        proposed = attrs.evolve(
            comer.spent.after(FlowTrigger.PROPOSE, ticket), account=owner.id, waiting=waiting(comer.identity)
        )
        told = LinkProposed(at=now, account=owner.id, provider=comer.config.id)
        part = Change(writes=(FLOWS.change(comer.spent.flow, proposed),), events=self.desk.tell(told))
        await self.desk.record(comer.used | part)
        return LinkNeedsProof(masked=mask(email), proposal=text, expires_at=ticket.expires_at)

    async def _tell(self, comer: Comer, owner: Customer) -> StandsStill:
        await self.desk.record(comer.used | comer.spent.part(FlowTrigger.FINISH))
        reason = owner.status_reason.value if owner.status_reason else None
        return StandsStill(status=owner.status, reason=reason, until=owner.status_until)


def _customer(found: Found[Authenticators] | None, now: datetime) -> Customer | None:
    customer = found[CUSTOMERS] if found else None
    return as_of(customer, now) if customer else None


def _there(found: Found[T] | None) -> Found[T]:
    if found is None:
        raise SignInRefused
    return found


def filled_in(customer: Customer, filled: Mapping[str, str]) -> tuple[Write, ...]:
    """Answer the write that fills fields of a profile, none if there is nothing to fill."""
    after = attrs.evolve(customer, fields={**customer.fields, **filled})
    return (CUSTOMERS.change(customer, after),) if filled else ()
