"""Links that go into mails and cookies that go to browsers, as values: hosts send them, nobody else builds them."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote, urlsplit

import attrs

from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.request import safe_return_path
from shopaccounts.kernel.secret import Secret

__all__ = [
    "DEVICE_COOKIE",
    "FLOW_COOKIE",
    "SESSION_COOKIE",
    "ClearCookie",
    "Landing",
    "LinkBuilder",
    "SameSite",
    "SetCookie",
    "is_https",
    "is_this_machine",
]

SESSION_COOKIE: Final = "__Host-session"
DEVICE_COOKIE: Final = "__Host-device"
FLOW_COOKIE: Final = "__Host-flow"


class SameSite(StrEnum):
    """With which requests of other sites a browser sends a cookie."""

    LAX = "Lax"
    STRICT = "Strict"


@attrs.frozen(kw_only=True)
class SetCookie:
    """A cookie to be set: secure, unreadable for scripts, for this host only.

    [OWASP ASVS 3.3; NIST SP 800-63B-4 5.1.1]
    """

    name: str
    value: Secret[str]
    same_site: SameSite = SameSite.LAX
    max_age: timedelta | None = None
    secure: bool = True
    http_only: bool = True
    path: str = "/"
    host_only: bool = True


@attrs.frozen
class ClearCookie:
    """A cookie to be removed."""

    name: str


@attrs.frozen(kw_only=True)
class Landing:
    """What the page of a link shows, and the headers that keep its address, and so the ticket, from everybody else.

    [OWASP Forgot Password Cheat Sheet]
    """

    referrer_policy: str = "no-referrer"
    cache_control: str = "no-store"


def is_https(address: str, *, local: bool = False) -> bool:
    """Tell whether *address* is asked over https.

    Args:
        address: With or without a path; one with a fragment is none.
        local: Whether plain http will do on the own machine.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    host = parts.hostname or ""
    is_local = local and parts.scheme == "http" and is_this_machine(host)
    return bool(host) and not parts.fragment and (parts.scheme == "https" or is_local)


def is_this_machine(host: str) -> bool:
    """Tell whether *host* is the own machine, where nobody else listens."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@attrs.frozen(kw_only=True)
class LinkBuilder:
    """Builds every link that carries a ticket; no use-case takes a host name from a request.

    Args:
        base: The address of each storefront, https.
        paths: Purpose to the path of its landing page; what isn't named has its page at ``/account/`` and the purpose
            with hyphens, as ``/account/freeze-account``.
        token_in: ``query``, or ``fragment`` for pages that read it by script.
        allow_loopback: Accept http for loopback hosts, for development.

    Raises:
        BadPolicy: A base that isn't https, or holds more than scheme, host and port.
    """

    base: Mapping[StoreId, str]
    paths: Mapping[str, str] = attrs.field(factory=dict)
    token_in: str = "query"  # noqa: S105  (where the ticket stands, not a ticket)
    allow_loopback: bool = False

    def __attrs_post_init__(self) -> None:
        require(self.token_in in {"query", "fragment"}, "a ticket stands in the query or the fragment")
        for address in self.base.values():
            require(is_https(address, local=self.allow_loopback), f"{address} is not an https address")
            parts = urlsplit(address)
            is_bare = "@" not in parts.netloc and address.rstrip("/") == f"{parts.scheme}://{parts.netloc}"
            require(is_bare, f"{address} is not written as scheme, host and port alone")
        for path in self.paths.values():
            is_path = path == safe_return_path(path) and not {"?", "#"} & set(path)
            require(is_path, f"{path} is not a path of this site")

    def link(self, store: StoreId, purpose: str, ticket: Secret[str]) -> Secret[str]:
        """Answer the link to the landing page of *purpose*.

        Raises:
            Defect: No address for this store.
        """
        mark = "?" if self.token_in == "query" else "#"  # noqa: S105  (see above)
        return Secret(f"{self.page(store, purpose)}{mark}token={quote(ticket.reveal())}")

    def page(self, store: StoreId, purpose: str) -> str:
        """Answer the address of a page that asks to sign in, and so needs no ticket.

        Raises:
            Defect: No address for this store.
        """
        if store not in self.base:
            msg = f"no address for store {store}"
            raise Defect(msg)
        path = self.paths.get(purpose) or f"/account/{purpose.replace('_', '-')}"
        return f"{self.base[store].rstrip('/')}{path}"
