"""What customers do with their user names: ask whether one is free, take it, give it up."""

from collections.abc import Iterable

import attrs

from shopaccounts.customers import CUSTOMERS, Username, customer_of, username_keys
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, Present
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.limits import counter_key
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.passwords import ShopWords
from shopaccounts.registration.errors import UsernameTaken
from shopaccounts.registration.events import UsernameChanged
from shopaccounts.registration.naming import allowed_username, passing_on
from shopaccounts.registration.policy import UsernamePolicy
from shopaccounts.registration.ports import Confusables

__all__ = ["Usernames"]


@attrs.frozen(kw_only=True)
class Usernames:
    """User names, for shops that have them."""

    desk: Desk
    records: Records
    doorkeeper: Doorkeeper
    budget: SendBudget
    keyring: Keyring
    storefront: Storefront
    confusables: Confusables | None
    policy: UsernamePolicy
    transport: TransportPolicy

    async def is_username_free(self, name: str, context: RequestContext) -> bool:
        """Tell whether nobody has a name, or one that looks like it.

        A name that was given up lately is free by this, and refused when somebody takes it.

        Args:
            name: As typed.
            context: Where the request came from.

        Raises:
            UsernameNotAllowed: Nobody may have this name.
            Throttled: This network asked too often.
            TryLater: The counters are not available.
            InvalidInput: No text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        wanted = await self._read(name)
        await self.budget.take("username", context.network, self.policy.lookups, self.desk.now())
        for key in username_keys(wanted):
            if await got(self.records.find(CUSTOMERS, key, by="login_contact")) is not None:
                return False
        return True

    async def change_username(self, session: Secret[str], name: str | None, context: RequestContext) -> None:
        """Take a user name, change it or give it up; nobody else gets the earlier one for a while.

        Args:
            session: Whose name it will be.
            name: As typed; None gives up the present one.
            context: Where the request came from.

        Raises:
            SignInRequired, FreshSignInNeeded: The session isn't good enough.
            UsernameNotAllowed: Nobody may have this name.
            UsernameTaken: Somebody else has it, had it lately, or has one that looks like it.
            Throttled: This network asked too often.
            TryLater: The counters are not available.
            InvalidInput: No text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        typed = None if name is None else require_text(name, "identifier")
        await self.doorkeeper.present(session, context, Operation.CHANGE_CONTACTS)
        wanted = None if typed is None else await self._read(typed)
        await self.budget.take("username", context.network, self.policy.lookups, self.desk.now())

        async def decide() -> None:
            present = await self.doorkeeper.present(session, context, Operation.CHANGE_CONTACTS)
            await self._change(present, wanted)

        try:
            await self.desk.retrying(decide)
        except Taken:
            raise UsernameTaken from None

    async def _change(self, present: Present, wanted: Username | None) -> None:
        customer, now = customer_of(present), self.desk.now()
        if customer.username == wanted:
            return
        old, new = (frozenset(username_keys(name)) if name else frozenset() for name in (customer.username, wanted))
        markers = passing_on(await self._digests(old - new), await self._digests(new - old), self.policy, now)
        change = Change(
            writes=(CUSTOMERS.change(customer, attrs.evolve(customer, username=wanted)),),
            guards=(SECURITY.unchanged(present.security),),
            once=markers,
            events=self.desk.tell(UsernameChanged(at=now, account=customer.id)),
        )
        await self.desk.record(change)

    async def _digests(self, keys: Iterable[str]) -> tuple[str, ...]:
        lookup = await got(self.keyring.current(Ring.LOOKUP))
        return tuple(counter_key(lookup.secret, "username", key) for key in sorted(keys))

    async def _read(self, name: str) -> Username:
        words = ShopWords(names=(self.storefront.name,), domains=self.storefront.domains).words()
        allowed = allowed_username(require_text(name, "identifier"), self.policy, words)
        if self.confusables is None:
            return Username(name=allowed, skeleton=allowed)
        skeleton: str = await got(self.confusables.skeleton(allowed))
        return Username(name=allowed, skeleton=skeleton)
