"""What a use-case may know of the request it serves. Hosts build it; nothing here reads a header."""

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import attrs

from shopaccounts.kernel.errors import InsecureTransport, InvalidInput
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import CAPS

__all__ = [
    "HumanEvidence",
    "IpAddress",
    "IpNetwork",
    "RequestContext",
    "TransportPolicy",
    "client_ip",
    "network_bucket",
    "safe_return_path",
]

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network
MAX_AGENT = 512


def _agent(value: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(field="user_agent")
    cut = value[:MAX_AGENT]
    return cut if cut.isprintable() else "".join(c for c in cut if c.isprintable())


@attrs.frozen(kw_only=True)
class HumanEvidence:
    """What tells people from programs.

    Args:
        answer: What the puzzle's service gave the browser; None if there was no puzzle.
        honeypot: What stands in the field that people can't see; empty if a person filled in the form.
        filled_in: How long the form was open before it was sent; None if nobody measured it.
    """

    answer: str | None = attrs.field(default=None, repr=False)
    honeypot: str = attrs.field(default="", repr=False)
    filled_in: timedelta | None = None


@attrs.frozen(kw_only=True)
class RequestContext:
    """Where a request came from.

    Args:
        secure: The host says: this request came over TLS.
        client_ip: From ``client_ip``, never a raw header; None if unknown.
        user_agent: Cut to 512 characters, controls removed.
        device: Secret of the device cookie, if the browser sent one.
        binding: Secret of this browser that holds its flows together.
        human: What tells whether a person sent it, where the host asked.

    Raises:
        InvalidInput: A user agent that is no text.
    """

    secure: bool
    client_ip: IpAddress | None = None
    user_agent: str = attrs.field(default="", converter=_agent)
    device: Secret[str] | None = None
    binding: Secret[str] | None = None
    human: HumanEvidence | None = None

    @property
    def network(self) -> str:
        """The network that attempts are counted for."""
        return network_bucket(self.client_ip)


@attrs.frozen(kw_only=True)
class TransportPolicy:
    """Whether secrets may travel unencrypted.

    Args:
        require_secure: Refuse every request that didn't come over TLS.
        allow_loopback: Except requests of the own machine.

    Why these defaults:
        require_secure: TLS for all connections. [OWASP ASVS 12.2.1]
        allow_loopback: loopback is for development only.
    """

    require_secure: bool = True
    allow_loopback: bool = False

    def check(self, context: RequestContext) -> None:
        """Refuse a request whose secrets could be read on the way.

        Raises:
            InsecureTransport: It isn't secure, and no exception of this policy holds.
        """
        loopback = context.client_ip is not None and _plain(context.client_ip).is_loopback
        if self.require_secure and not context.secure and not (self.allow_loopback and loopback):
            raise InsecureTransport


def client_ip(peer: str, forwarded: Sequence[str], trusted: Sequence[IpNetwork]) -> IpAddress | None:
    """Answer the address that a request came from, believing only proxies that are trusted.

    Walks from the peer through *forwarded* from the right and answers the first address that isn't in *trusted*. An
    entry that can't be read ends the walk at the last good one. The leftmost entry is never believed for its own sake.
    [OWASP ASVS 15.3.4]

    Args:
        peer: Address of the connection itself.
        forwarded: Entries of X-Forwarded-For, left to right.
        trusted: Networks of the shop's own proxies.
    """
    last: IpAddress | None = None
    for entry in (peer, *reversed(forwarded)):
        try:
            last = _plain(ip_address(_without_port(entry.strip())))
        except ValueError:
            return last
        if not any(last.version == network.version and last in network for network in trusted):
            return last
    return last


def network_bucket(address: IpAddress | None) -> str:
    """Answer the network that attempts are counted for: IPv4 whole, IPv6 by /64, unknown all in one."""
    if address is None:
        return "unknown"
    plain = _plain(address)
    return str(plain) if plain.version == 4 else str(ip_network((plain, 64), strict=False))  # noqa: PLR2004  (IP version)


def _plain(address: IpAddress) -> IpAddress:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _without_port(entry: str) -> str:
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def safe_return_path(value: object) -> str:
    """Answer *value* if it is a path of this site, else ``/``.

    A path starts with one slash that neither slash nor backslash follows, holds nothing unseen and no backslash, and
    has at most 2,048 characters.
    """
    if not isinstance(value, str) or len(value) > CAPS["return_path"]:
        return "/"
    is_path = value.startswith("/") and not value.startswith("//")
    return str.__str__(value) if is_path and value.isprintable() and "\\" not in value else "/"
