"""What people do with accounts that they have elsewhere: sign in with them, link them, look at them, unlink them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import NoReturn

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, Present
from shopaccounts.kernel.errors import FreshSignInNeeded, Taken
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import require_choice, require_text
from shopaccounts.kernel.tickets import Purpose, check_secret, read_selector
from shopaccounts.providers.believing import ID_TOKEN, LOGOUT_TOKEN, Believing, check_brought, text_of
from shopaccounts.providers.entering import Comer, Entering
from shopaccounts.providers.errors import FlowInvalid, IdentityUnknown, ProviderRefused, Why
from shopaccounts.providers.events import ProviderSessionsEnded
from shopaccounts.providers.id_tokens import Ended, IdTokenRefused, OAuthProfile, VerifiedIdentity
from shopaccounts.providers.keeping import Keeping, summary, waiting
from shopaccounts.providers.linking import Linker
from shopaccounts.providers.model import (
    EMAIL_WANTED,
    EXCHANGE,
    LINK_PROPOSAL,
    ExchangeOrder,
    FinishAnswer,
    FlowTrigger,
    IdentitySummary,
    Intent,
    LinkOutcome,
    ProviderFlow,
    ProviderRedirect,
    ProviderTokens,
    Unlinked,
)
from shopaccounts.providers.policy import ProviderKind
from shopaccounts.providers.steps import Spent, Steps
from shopaccounts.registration import Registration, RegistrationForm, RegistrationStarted
from shopaccounts.signin import AUTHENTICATORS, CROWD, Authenticators, SignInRequired, identity_key

__all__ = ["Providers"]


@attrs.frozen(kw_only=True)
class Providers:
    """Accounts elsewhere.

    Args:
        believing: Says whose word is believed.
        fresh: How old a sign-in at a provider may be that confirms who somebody is.
    """

    desk: Desk
    records: Records
    doorkeeper: Doorkeeper
    steps: Steps
    entering: Entering
    linker: Linker
    keeping: Keeping
    registration: Registration
    believing: Believing
    fresh: timedelta
    transport: TransportPolicy

    async def start_provider(
        self, provider_id: str, intent: Intent, context: RequestContext, session: Secret[str] | None = None
    ) -> ProviderRedirect:
        """Begin a way to a provider; send the browser there with what this answers.

        Args:
            provider_id: The shop's name for the provider.
            intent: To sign in, to link the account that is signed in, or to prove again who one is.
            context: Where the request came from.
            session: Whose account it is, for all but signing in.

        Raises:
            ProviderOff: Customers can't use it.
            ProviderRefused: It can't confirm who somebody is, as it doesn't tell when they signed in.
            SignInRequired, FreshSignInNeeded: The session isn't good enough.
            InvalidInput: The name, the intent or the session is none.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        require_choice(intent, "intent", Intent)
        check_secret(session)
        config = self.steps.provider(provider_id)
        if intent is Intent.STEP_UP and config.kind is not ProviderKind.OIDC:
            raise ProviderRefused(Why.AUTH_TIME.value)
        here = None if intent is Intent.SIGN_IN else await self._present(session, intent, context)
        max_age = self.fresh if intent is Intent.STEP_UP else config.max_age
        return await self.steps.begin(config, intent, context, here, max_age)

    async def accept_callback(
        self, params: Mapping[str, str], context: RequestContext, *, provider_id: str
    ) -> ExchangeOrder:
        """Take what the provider sent back with the browser, and answer what to send to its token endpoint.

        Args:
            params: The parameters of the request.
            context: Where the request came from.
            provider_id: Whose callback page it is.

        Raises:
            ProviderOff: Customers can't use it.
            ProviderRefused: Another browser began, another provider answered, or the provider says no.
            FlowInvalid, FlowExpired, FlowUsed, FlowStale: The state is of no use.
            InvalidInput: Parameters that no provider sends.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        config = self.steps.provider(provider_id)

        async def decide() -> ExchangeOrder:
            return await self.steps.see(config, params, context)

        return await self.desk.retrying(decide)

    async def finish_provider(
        self,
        flow: Secret[str],
        answer: Secret[str] | OAuthProfile,
        context: RequestContext,
        *,
        session: Secret[str] | None = None,
        tokens: ProviderTokens | None = None,
        form: RegistrationForm | None = None,
        remember: bool = False,
    ) -> FinishAnswer:
        """Take the provider's word for who somebody is, and answer what it leads to; match on it.

        Args:
            flow: As ``accept_callback`` answered it.
            answer: The ID token; the profile, of a provider that speaks plain OAuth 2.
            context: Where the request came from.
            session: The session that began it, for all but signing in.
            tokens: What else came from the token endpoint.
            form: What the shop asks new customers besides an address; its address and password aren't looked at.
            remember: Keep the session beyond the browser's.

        Raises:
            ProviderOff: Customers can't use the provider any more.
            ProviderRefused: The answer isn't believed, or isn't for this browser, session or account.
            IdentityTaken: Another account is linked with the identity.
            TooManyIdentities: The account is linked with as many as it may be.
            SignInRefused: The account is there no more.
            RegistrationNotOpen, DomainNotAccepted, FormRejected, TermsNotAccepted, TermsOutdated: No account is opened
                so; the flow goes on, to be finished with a better form.
            TooManySessions: The account has as many sessions as it may have, where the shop refuses one more.
            SignInRequired, FreshSignInNeeded: The session isn't good enough.
            FlowInvalid, FlowExpired, FlowUsed, FlowStale: The flow is of no use.
            InvalidInput: Something isn't what it should be, or endless.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        check_secret(session)
        check_brought(answer, tokens, form)
        judged: dict[str, VerifiedIdentity | IdTokenRefused] = {}

        async def decide() -> FinishAnswer:
            spent = await self.steps.spend(flow, EXCHANGE, context)
            config = self.steps.provider(spent.flow.provider)
            here = await self._session_of(spent.flow, session, context)
            if not judged:
                judged[config.id] = await self.believing.judge(config, spent.flow, answer, tokens)
            identity = judged[config.id]
            if isinstance(identity, IdTokenRefused):
                await self._refuse(spent, identity, context)
            used = self.believing.once(ID_TOKEN, identity.issuer, identity.jti)
            if here is None:
                comer = Comer(
                    identity=identity, config=config, spent=spent, used=used, context=context,
                    tokens=tokens, form=form, remember=remember,
                )  # fmt: skip
                return await self.entering.enter(comer)
            if spent.flow.intent is Intent.STEP_UP:
                return await self.linker.confirm(here, identity, spent, used, context)
            return await self.linker.link(here, waiting(identity), spent, used, identity, tokens)

        try:
            return await self.desk.retrying(decide, CROWD, on_taken=True)
        except Taken as taken:
            if taken.field != f"once:{ID_TOKEN}":
                raise
            raise ProviderRefused(Why.REPLAYED.value) from None

    async def answer_proposal(
        self, proposal: Secret[str], session: Secret[str], context: RequestContext, *, accept: bool
    ) -> LinkOutcome | None:
        """Say whether an identity is to be linked with the account that has its address.

        Args:
            proposal: As ``finish_provider`` answered it.
            session: A session of that account, signed in to since, in the same browser.
            context: Where the request came from.
            accept: Yes or no; a no ends the offer, and the answer is None.

        Raises:
            ProviderOff: Customers can't use the provider any more.
            ProviderRefused: Another browser was asked.
            IdentityTaken: Another account has been linked with the identity since.
            TooManyIdentities: The account is linked with as many as it may be.
            SignInRequired, FreshSignInNeeded: The session isn't good enough, or is of another account.
            FlowInvalid, FlowExpired, FlowUsed, FlowStale: The offer is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        read_selector(proposal, LINK_PROPOSAL)

        async def decide() -> LinkOutcome | None:
            here, spent = await self._signed_in_since(session, proposal, LINK_PROPOSAL, context)
            if here.account != spent.flow.account:
                raise SignInRequired
            if not accept:
                await self.desk.record(spent.part(FlowTrigger.REFUSE))
                return None
            return await self._link_waiting(here, spent)

        return await self.desk.retrying(decide, on_taken=True)

    async def give_email(
        self, handle: Secret[str], form: RegistrationForm, context: RequestContext
    ) -> RegistrationStarted:
        """Register the address of somebody whose provider proves none; it is proven like any other.

        Once that is done and they are signed in, ``link_after_email`` links what they came with.

        Args:
            handle: As ``finish_provider`` answered it.
            form: What the person filled in, as for ``register``.
            context: Where the request came from.

        Raises:
            ProviderOff: Customers can't use the provider any more.
            ProviderRefused: Another browser was asked.
            FlowInvalid, FlowExpired, FlowUsed: The handle is of no use.
            RegistrationNotOpen, EmailInvalid, EmailUnsupportedCharacters, DomainNotAccepted, FormRejected,
                TermsNotAccepted, TermsOutdated, PasswordUnacceptable, HumanCheckNeeded, Throttled, TryLater,
                InvalidInput: As ``register``.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        read_selector(handle, EMAIL_WANTED)
        await self.entering.check_form(form)
        self.steps.provider((await self.steps.look(handle, EMAIL_WANTED, context)).provider)
        return await self.registration.register(form, context)

    async def link_after_email(self, handle: Secret[str], session: Secret[str], context: RequestContext) -> LinkOutcome:
        """Link the identity that somebody came with, now that they have proven an address and are signed in.

        Args:
            handle: As ``finish_provider`` answered it.
            session: Signed in to since, in the same browser.
            context: Where the request came from.

        Raises:
            ProviderOff: Customers can't use the provider any more.
            ProviderRefused: Another browser was asked.
            IdentityTaken: Another account has been linked with the identity since.
            TooManyIdentities: The account is linked with as many as it may be.
            SignInRequired, FreshSignInNeeded: The session isn't good enough.
            FlowInvalid, FlowExpired, FlowUsed: The handle is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        read_selector(handle, EMAIL_WANTED)

        async def decide() -> LinkOutcome:
            here, spent = await self._signed_in_since(session, handle, EMAIL_WANTED, context)
            return await self._link_waiting(here, spent)

        return await self.desk.retrying(decide, on_taken=True)

    async def identities(self, session: Secret[str], context: RequestContext) -> tuple[IdentitySummary, ...]:
        """Answer what the account is linked with.

        Raises:
            SignInRequired: The session opens nothing.
            InsecureTransport: The request didn't come over TLS.
        """
        here = await self.doorkeeper.present(session, context, Operation.LOOK)
        own = here[AUTHENTICATORS]
        return tuple(summary(link) for link in own.identities) if own else ()

    async def kept_tokens(
        self, session: Secret[str], identity_id: str, context: RequestContext
    ) -> ProviderTokens | None:
        """Answer the tokens that are kept of an identity, where the shop keeps any; None if there are none.

        Raises:
            IdentityUnknown: The account has no such identity.
            SignInRequired: The session opens nothing.
            InsecureTransport: The request didn't come over TLS.
        """
        id = require_text(identity_id, "label")
        here = await self.doorkeeper.present(session, context, Operation.MANAGE)
        own = here[AUTHENTICATORS]
        link = own.identity(id) if own else None
        if link is None:
            raise IdentityUnknown
        return await self.keeping.opened(link, here.account)

    async def unlink_provider(self, session: Secret[str], identity_id: str, context: RequestContext) -> Unlinked:
        """Unlink an identity: it opens nothing any more, and the sessions that rest on it are over.

        Args:
            session: Whose.
            identity_id: As ``identities`` answers it.
            context: Where the request came from.

        Raises:
            IdentityUnknown: The account has no such identity; another account's is answered the same.
            LastWayIn: Nothing else would open the account.
            SignInRequired, FreshSignInNeeded: The session isn't good enough.
            NotWhileImpersonating: An agent who acts for a customer may not.
            InsecureTransport: The request didn't come over TLS.
        """
        require_text(identity_id, "label")

        async def decide() -> Unlinked:
            here = await self.doorkeeper.present(session, context, Operation.LINK_PROVIDER)
            return await self.linker.unlink(here, identity_id)

        return await self.desk.retrying(decide)

    async def accept_logout_token(self, provider_id: str, token: Secret[str], context: RequestContext) -> None:
        """Take a provider's word that a customer has signed out there: the sessions that it opened here are over.

        Args:
            provider_id: Whose page for such messages it is.
            token: The ``logout_token`` of the request.
            context: Where the request came from.

        Raises:
            ProviderOff: Customers can't use the provider.
            ProviderRefused: The token isn't believed, or was used before.
            InvalidInput: The name or the token is no text, or endless.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        signed = text_of(token)
        ended = await self.believing.ended(self.steps.provider(provider_id), signed)
        if isinstance(ended, IdTokenRefused):
            raise ProviderRefused(ended.reason.value)

        async def decide() -> None:
            used = self.believing.once(LOGOUT_TOKEN, ended.issuer, ended.jti)
            key = identity_key(ended.issuer, ended.subject)
            found = await got(self.records.find(AUTHENTICATORS, key, by="identity"))
            await self.desk.record(used | (self._over(found.it, ended) if found else Change()))

        try:
            await self.desk.retrying(decide, CROWD)
        except Taken:
            raise ProviderRefused(Why.REPLAYED.value) from None

    # Who is behind it

    async def _present(self, session: Secret[str] | None, intent: Intent, context: RequestContext) -> Present:
        if session is None:
            raise SignInRequired
        operation = Operation.CONFIRM_IDENTITY if intent is Intent.STEP_UP else Operation.LINK_PROVIDER
        return await self.doorkeeper.present(session, context, operation)

    async def _session_of(
        self, flow: ProviderFlow, session: Secret[str] | None, context: RequestContext
    ) -> Present | None:
        """Answer the session that began a flow, None at the door."""
        if flow.intent is Intent.SIGN_IN:
            return None
        here = await self._present(session, flow.intent, context)
        if (here.account, here.session) != (flow.account, flow.session):
            raise ProviderRefused(Why.SESSION.value)
        return here

    async def _signed_in_since(
        self, session: Secret[str], text: Secret[str], purpose: Purpose, context: RequestContext
    ) -> tuple[Present, Spent]:
        """Answer who has signed in since they were asked to, so freshly that they may link, and to what."""
        here = await self.doorkeeper.present(session, context, Operation.LINK_PROVIDER)
        spent = await self.steps.spend(text, purpose, context)
        self.steps.provider(spent.flow.provider)
        if here.auth.authenticated_at < spent.ticket.issued_at:
            raise FreshSignInNeeded(int(here.can_reach), self.desk.now() - spent.ticket.issued_at)
        return here, spent

    async def _link_waiting(self, here: Present, spent: Spent) -> LinkOutcome:
        who = spent.flow.waiting
        if who is None:
            raise FlowInvalid
        return await self.linker.link(here, who, spent, Change())

    # What follows

    async def _refuse(self, spent: Spent, refused: IdTokenRefused, context: RequestContext) -> NoReturn:
        if refused.reason is Why.KEYS_UNAVAILABLE:
            raise ProviderRefused(refused.reason.value)
        await self.steps.refuse(spent, refused.reason, context)

    def _over(self, own: Authenticators, ended: Ended) -> Change:
        """Answer the part of a change that ends what an identity has opened up to now."""
        now, link = self.desk.now(), own.linked_with(ended.issuer, ended.subject)
        if link is None:
            return Change()
        over = own.with_identity(attrs.evolve(link, not_before=now))
        told = ProviderSessionsEnded(at=now, account=own.id, provider=link.provider)
        return Change(writes=(AUTHENTICATORS.change(own, over),), events=self.desk.tell(told))
