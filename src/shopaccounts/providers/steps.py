"""Takes flows from step to step: what begins, what comes back, what is spent."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NoReturn

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.chance import as_token
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Present
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.flows import bind, is_same_browser
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import Purpose, Ticket, mint, peek, read_selector, spend
from shopaccounts.kernel.vault import Ring, SealContext, Vault
from shopaccounts.providers.errors import FlowInvalid, ProviderOff, ProviderRefused, Why
from shopaccounts.providers.events import ProviderSignInRefused
from shopaccounts.providers.flows import advanced, judge_response, request_parameters
from shopaccounts.providers.id_tokens import nonce_digest
from shopaccounts.providers.model import (
    EXCHANGE,
    FLOWS,
    PROVIDER_STATE,
    ExchangeOrder,
    FlowTrigger,
    Intent,
    ProviderFlow,
    ProviderRedirect,
)
from shopaccounts.providers.policy import ProviderConfig, ProviderPolicy
from shopaccounts.signin import Attempts

__all__ = ["Spent", "Steps"]

_LONGEST: Final = 4096
_READ: Final = ("state", "code", "iss", "error")


@attrs.frozen(kw_only=True)
class Spent:
    """A flow whose ticket is good, and is spent by whatever is recorded with it.

    Args:
        flow: As it is stored.
        ticket: Its ticket, spent.
    """

    flow: ProviderFlow
    ticket: Ticket

    def after(self, trigger: FlowTrigger, following: Ticket | None = None) -> ProviderFlow:
        """Answer the flow after the step.

        Raises:
            FlowUsed: The step was taken before.
        """
        return advanced(self.flow, trigger, self.ticket, following)

    def part(self, trigger: FlowTrigger) -> Change:
        """Answer the part of a change that takes the step.

        Raises:
            FlowUsed: It was taken before.
        """
        return Change(writes=(FLOWS.change(self.flow, self.after(trigger)),))


@attrs.frozen(kw_only=True)
class Steps:
    """Begins flows, and takes them on."""

    desk: Desk
    records: Records
    vault: Vault
    attempts: Attempts
    policy: ProviderPolicy

    def provider(self, id: object) -> ProviderConfig:
        """Answer a provider that customers may use.

        Raises:
            ProviderOff: They may not, or there is none of that name.
            InvalidInput: That isn't even a name.
        """
        config = self.policy.named(require_text(id, "label"))
        if config is None:
            raise ProviderOff
        return config

    async def begin(
        self,
        config: ProviderConfig,
        intent: Intent,
        context: RequestContext,
        here: Present | None,
        max_age: timedelta | None,
    ) -> ProviderRedirect:
        """Store a new flow, and answer where the browser goes.

        Args:
            config: The provider.
            intent: What for.
            context: Where the request came from.
            here: Whose session links or confirms; None at the door.
            max_age: How long ago the customer may have signed in there.
        """
        now, entropy = self.desk.now(), self.desk.entropy
        stamps, account = (here.security.stamps, here.account) if here else (Stamps(), None)
        ticket, state = self._mint(PROVIDER_STATE, account or "", stamps, self.policy.flow_life, now)
        nonce, verifier, binding = entropy.token(256), Secret(entropy.token(256)), bind(context, entropy)
        flow = ProviderFlow(
            id=ticket.selector,
            realm=self.desk.scope.realm,
            provider=config.id,
            redirect_uri=config.redirect_uri,
            intent=intent,
            tickets=(ticket,),
            nonce_digest=nonce_digest(nonce),
            verifier=await got(self.vault.seal(Secret(verifier.reveal().encode()), self._place(ticket.selector))),
            binding=binding.digest,
            account=account,
            session=here.session if here else None,
            max_age=int(max_age.total_seconds()) if max_age else None,
            started_at=now,
        )
        guards = (SECURITY.unchanged(here.security),) if here else ()
        await self.desk.record(Change(writes=(FLOWS.add(flow),), guards=guards))
        challenge = as_token(hashlib.sha256(verifier.reveal().encode()).digest())
        return ProviderRedirect(
            parameters=request_parameters(config, flow, state, nonce, challenge), set_cookies=binding.cookies
        )

    async def see(self, config: ProviderConfig, params: Mapping[str, str], context: RequestContext) -> ExchangeOrder:
        """Take what the provider sent back; only then does its code leave.

        Raises:
            FlowInvalid, FlowExpired, FlowUsed, FlowStale: The state is of no use, or of another provider.
            ProviderRefused: Another browser, another issuer, or the provider says no.
        """
        told = _read(params)
        spent = await self.spend(Secret(told.get("state", "")), PROVIDER_STATE, context)
        if spent.flow.provider != config.id:
            raise FlowInvalid
        why = judge_response(told, config, len(self.policy.enabled))
        if why is not None:
            await self.refuse(spent, why, context)
        now, stamps = self.desk.now(), spent.ticket.stamps
        following, text = self._mint(
            EXCHANGE, spent.flow.account or "", stamps, self.policy.flow_life, now, spent.flow.id
        )
        sealed = await got(self.vault.open(spent.flow.verifier, self._place(spent.flow.id)))
        seen = spent.after(FlowTrigger.SEE_CALLBACK, following)
        await self.desk.record(Change(writes=(FLOWS.change(spent.flow, seen),)))
        return ExchangeOrder(
            code=Secret(told["code"]),
            code_verifier=Secret(sealed.reveal().decode()),
            redirect_uri=spent.flow.redirect_uri,
            flow=text,
        )

    async def spend(self, text: Secret[str], purpose: Purpose, context: RequestContext) -> Spent:
        """Answer the flow that a text belongs to, in the browser that began it.

        Raises:
            FlowInvalid, FlowExpired, FlowUsed, FlowStale: The text is of no use.
            ProviderRefused: Another browser began.
        """
        found, now = await self._find(text, purpose), self.desk.now()
        ticket, _ = spend(found.it.ticket(purpose), text, purpose, _stamps(found), now)
        self._check_browser(found.it, context)
        return Spent(flow=found.it, ticket=ticket)

    async def look(self, text: Secret[str], purpose: Purpose, context: RequestContext) -> ProviderFlow:
        """Answer the flow that a text belongs to, and spend nothing; as ``spend``."""
        found = await self._find(text, purpose)
        peek(found.it.ticket(purpose), text, purpose, _stamps(found), self.desk.now())
        self._check_browser(found.it, context)
        return found.it

    async def refuse(self, spent: Spent, why: Why, context: RequestContext, more: Change | None = None) -> NoReturn:
        """Store that a flow has ended in a refusal.

        Raises:
            ProviderRefused: Always.
        """
        network = await self.attempts.digest("network", context.network)
        told = ProviderSignInRefused(
            at=self.desk.now(), provider=spent.flow.provider, reason=why.value, network=network
        )
        part = spent.part(FlowTrigger.REFUSE) | Change(events=self.desk.tell(told))
        await self.desk.record(part | (more or Change()))
        raise ProviderRefused(why.value)

    def following(
        self, spent: Spent, purpose: Purpose, account: str, stamps: Stamps, life: timedelta
    ) -> tuple[Ticket, Secret[str]]:
        """Answer the ticket of the step that comes next, and its text."""
        return self._mint(purpose, account, stamps, life, self.desk.now(), spent.flow.id)

    async def _find(self, text: Secret[str], purpose: Purpose) -> Found[ProviderFlow]:
        found = await got(self.records.find(FLOWS, read_selector(text, purpose), bring=(SECURITY.via("account"),)))
        if found is None:
            raise FlowInvalid
        return found

    def _check_browser(self, flow: ProviderFlow, context: RequestContext) -> None:
        if not is_same_browser(context, flow.binding):
            raise ProviderRefused(Why.BROWSER.value)

    def _mint(
        self, purpose: Purpose, subject: str, stamps: Stamps, life: timedelta, now: datetime, selector: str = ""
    ) -> tuple[Ticket, Secret[str]]:
        return mint(
            purpose,
            realm=self.desk.scope.realm,
            subject=subject,
            bound="",
            stamps=stamps,
            life=life,
            now=now,
            entropy=self.desk.entropy,
            selector=selector,
        )

    def _place(self, flow: str) -> SealContext:
        realm = self.desk.scope.realm
        return SealContext(ring=Ring.PROVIDERS, realm=realm, kind=FLOWS.name, id=flow, field="verifier")


def _stamps(found: Found[ProviderFlow]) -> Stamps:
    security = found[SECURITY]
    return security.stamps if security else Stamps()


def _read(params: object) -> dict[str, str]:
    """Answer what a callback says that anybody looks at."""
    if not isinstance(params, Mapping):
        raise InvalidInput(field="params")
    told = {name: params[name] for name in _READ if params.get(name) is not None}
    return {name: require_text(value, "params", cap=_LONGEST, printable=False) for name, value in told.items()}
