"""For whom a piece of work is done: which pool of customers, which storefront, on whose behalf."""

from enum import Enum
from typing import Self

import attrs

from shopaccounts.kernel.ids import RealmId, StoreId

__all__ = ["Actor", "ActorKind", "Scope"]


class ActorKind(Enum):
    """Who acts."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"


@attrs.frozen
class Actor:
    """Who acts, and on whose behalf."""

    kind: ActorKind
    id: str = ""
    on_behalf_of: str | None = None


@attrs.frozen(kw_only=True)
class Scope:
    """The realm (pool of logins), the store (storefront) and the actor that a use-case works for.

    Stores are opened for a scope, so that no statement can forget the realm.

    Unless told otherwise a customer acts, each for their own account: the event says for which.
    """

    realm: RealmId
    store: StoreId
    actor: Actor = Actor(ActorKind.CUSTOMER)
    locale: str = "en"
    trace: str = ""

    @classmethod
    def single(cls, locale: str = "en") -> Self:
        """Answer the scope of a shop that has one storefront and one pool of customers."""
        return cls(realm=RealmId("main"), store=StoreId("main"), locale=locale)
