"""How a store presents itself: its name, and where its pages are."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import attrs

from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import LinkBuilder

__all__ = ["Storefront"]


@attrs.frozen(kw_only=True)
class Storefront:
    """A store's name and its links.

    Args:
        name: As customers know the shop; stands in messages, and is no part of a good password.
        links: Builds the links in messages.
        contact: Where customers reach the shop, as security notices tell it; empty leaves it out.
    """

    name: str
    links: LinkBuilder
    contact: str = ""

    @property
    def domains(self) -> tuple[str, ...]:
        """The hosts of the shop's pages."""
        return tuple(sorted({urlsplit(base).hostname or "" for base in self.links.base.values()}))

    def variables(self, **more: str) -> Mapping[str, str]:
        """Answer the variables of a message, the shop's name among them."""
        reached_at = {"contact": self.contact} if self.contact else {}
        return {"shop": self.name, **reached_at, **more}

    def link(self, store: StoreId, purpose: str, ticket: Secret[str]) -> Secret[str]:
        """Answer the link to the page where a ticket is used."""
        return self.links.link(store, purpose, ticket)
