"""Knowing a browser again.

A browser gets a value for each account that signs in with it, up to four, all in one cookie. Each belongs to the one
account that it was made for. A device that is known guesses on a counter of its own and causes no notice; it opens
nothing and proves nothing.

An account has a limited number of known devices: when one more comes, the one that wasn't used for longest goes. That a
device was used is noted once a day. A device is new if the account doesn't know it, except at the first sign-in of all.

What a device calls itself is put into two words, the kind of browser and the system, without asking anybody.
"""

import re
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Final

import attrs

from shopaccounts.customers import Customer
from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import IpAddress, network_bucket
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamp, Stamps
from shopaccounts.kernel.tickets import fits, forge, selector_in
from shopaccounts.kernel.web import DEVICE_COOKIE, SetCookie
from shopaccounts.signin.model import DEVICE, DEVICES, Device, KnownDevices
from shopaccounts.signin.policy import DevicePolicy

__all__ = [
    "Met",
    "Visitor",
    "agent_family",
    "device_label",
    "device_values",
    "forget",
    "is_first_sign_in",
    "is_trusted",
    "meet",
    "recognise",
    "wider_network",
]

VALUES: Final = 4
"""How many people may share a browser and all be known with it."""
_SEPARATOR: Final = "~"
_ENDS_TRUST: Final = (Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS, Stamp.FACTORS)
_VALUE_LENGTH: Final = 100
_DAY: Final = timedelta(days=1)
_BROWSERS: Final = (
    ("Edge", "Edg"),
    ("Opera", "OPR/"),
    ("Samsung Internet", "SamsungBrowser"),
    ("Firefox", "Firefox/"),
    ("Firefox", "FxiOS"),
    ("Chrome", "CriOS"),
    ("Chrome", "Chrome/"),
    ("Safari", "Safari/"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("macOS", "Mac OS X"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)
_PRODUCT: Final = re.compile(r"[A-Za-z][A-Za-z0-9 ._-]{0,39}")


@attrs.frozen(kw_only=True)
class Visitor:
    """Whoever is at the door, as far as the request tells.

    Args:
        device: The device cookie.
        label: What the browser calls itself.
        place: About where the request came from.
        seen_like: Keyed digest of the kind of browser and the wider network.
    """

    device: Secret[str] | None = None
    label: str = ""
    place: str | None = None
    seen_like: str = ""


@attrs.frozen(kw_only=True)
class Met:
    """A device that an account has signed in with.

    Args:
        device: As it is known from now on.
        place: About where it is now.
        before, after: The account's devices, without and with what this visit is worth noting.
        cookies: What the browser is to keep, if anything changed.
        is_new: The account didn't know it.
        was_known: The account knew it before.
        is_trusted_now: Its owner has just trusted it.
        is_told_again: So was a similar one a short while ago, and its owner heard of that.
    """

    device: Device
    place: str | None
    before: KnownDevices | None
    after: KnownDevices
    cookies: tuple[SetCookie, ...]
    is_new: bool
    was_known: bool = False
    is_trusted_now: bool = False
    is_told_again: bool = False

    @property
    def change(self) -> Change:
        """What notes the visit; nothing where that was done today."""
        if self.before is None:
            return Change(writes=(DEVICES.add(self.after),))
        return Change(writes=(DEVICES.change(self.before, self.after),) if self.after != self.before else ())

    def trusted(self, stamps: Stamps, steps: frozenset[str], until: datetime) -> "Met":
        """Answer the device after its owner trusted it, until then or until one of *stamps* or the *steps* change."""
        marked = attrs.evolve(self.device, trusted_until=until, trusted_under=stamps, trusted_beside=steps)
        devices = tuple(marked if one.id == marked.id else one for one in self.after.devices)
        after = attrs.evolve(self.after, devices=devices)
        return attrs.evolve(self, device=marked, after=after, is_trusted_now=True)


def device_label(user_agent: str) -> str:
    """Answer what a browser calls itself, as ``Firefox, Linux``; empty if it says nothing that can be read."""
    system = next((name for name, mark in _SYSTEMS if mark in user_agent), "")
    return ", ".join(part for part in (agent_family(user_agent), system) if part)


def agent_family(user_agent: str) -> str:
    """Answer the kind of browser or program, without its version."""
    known = next((name for name, mark in _BROWSERS if mark in user_agent), None)
    if known is not None:
        return known
    named = _PRODUCT.match(user_agent.partition("/")[0])
    return named[0].strip() if named else ""


def wider_network(address: IpAddress | None) -> str:
    """Answer the wider network of an address: IPv4 by /24, IPv6 by /48."""
    if address is None:
        return "unknown"
    bucket = ip_network(network_bucket(address))
    return str(bucket.supernet(new_prefix=24 if bucket.version == 4 else 48))  # noqa: PLR2004  (the IP version)


def device_values(cookie: Secret[str] | None) -> tuple[Secret[str], ...]:
    """Answer the values in a device cookie, whatever else stands in it."""
    text = cookie.reveal() if isinstance(cookie, Secret) else ""
    if not isinstance(text, str) or len(text) > _VALUE_LENGTH * VALUES:
        return ()
    values = (Secret(part) for part in text.split(_SEPARATOR))
    return tuple(value for value in values if selector_in(value, DEVICE))[:VALUES]


def recognise(known: KnownDevices | None, cookie: Secret[str] | None, now: datetime) -> Device | None:
    """Answer the device of an account that sent this cookie, if the account knows one of its values."""
    if known is None:
        return None
    devices = {device.id: device for device in known.devices if now < device.known_until}
    for value in device_values(cookie):
        device = devices.get(selector_in(value, DEVICE) or "")
        if device is not None and fits(value, DEVICE, known.realm, device.id, device.digest):
            return device
    return None


def is_first_sign_in(known: KnownDevices | None, customer: Customer, policy: DevicePolicy, now: datetime) -> bool:
    """Tell whether nobody was ever signed in to this account; what an old account knew may be forgotten by now."""
    return known is None and now - customer.created_at < policy.known_for


def is_trusted(device: Device, stamps: Stamps, steps: frozenset[str], now: datetime) -> bool:
    """Tell whether a device stands for the second step after a password.

    Args:
        device: The device.
        stamps: Of its account, as they are now.
        steps: The ids of the second steps that the account has now.
        now: When it is asked.
    """
    if device.trusted_until is None or device.trusted_under is None or now >= device.trusted_until:
        return False
    return device.trusted_beside == steps and not stamps.moved(device.trusted_under, _ENDS_TRUST)


def meet(
    customer: Customer,
    known: KnownDevices | None,
    visitor: Visitor,
    policy: DevicePolicy,
    entropy: Entropy,
    now: datetime,
) -> Met:
    """Answer the device of a sign-in, and the part of a change that remembers it."""
    device = recognise(known, visitor.device, now)
    if known is not None and device is not None:
        return _met_again(known, device, visitor, policy, now)
    return _met_first(customer, known, visitor, policy, entropy, now)


def forget(known: KnownDevices, public_id: str) -> KnownDevices | None:
    """Answer the devices without one of them; None if it isn't among them."""
    left = tuple(device for device in known.devices if device.public_id != public_id)
    return attrs.evolve(known, devices=left) if len(left) < len(known.devices) else None


def _met_again(known: KnownDevices, device: Device, visitor: Visitor, policy: DevicePolicy, now: datetime) -> Met:
    if now - device.last_seen < _DAY:
        return Met(
            device=device, place=visitor.place, before=known, after=known, cookies=(), is_new=False, was_known=True
        )
    seen = attrs.evolve(device, last_seen=now, known_until=now + policy.known_for, label=visitor.label)
    devices = tuple(seen if one.id == seen.id else one for one in known.devices)
    return Met(
        device=seen,
        place=visitor.place,
        before=known,
        after=attrs.evolve(known, devices=devices),
        cookies=(_cookie(device_values(visitor.device), policy),),
        is_new=False,
        was_known=True,
    )


def _met_first(
    customer: Customer,
    known: KnownDevices | None,
    visitor: Visitor,
    policy: DevicePolicy,
    entropy: Entropy,
    now: datetime,
) -> Met:
    forged = forge(DEVICE, customer.realm, entropy)
    device = Device(
        id=forged.selector,
        public_id=entropy.token(128),
        digest=forged.digest,
        label=visitor.label,
        place=visitor.place,
        seen_like=visitor.seen_like,
        first_seen=now,
        last_seen=now,
        known_until=now + policy.known_for,
    )
    earlier = tuple(one for one in (known.devices if known else ()) if now < one.known_until)
    kept = sorted(earlier, key=lambda one: one.last_seen)[-policy.at_most + 1 :] if policy.at_most > 1 else ()
    told = any(one.seen_like == device.seen_like and now - one.first_seen < policy.told_once_in for one in earlier)
    joined = KnownDevices(id=customer.id, realm=customer.realm, devices=(*kept, device))
    values = (forged.text, *device_values(visitor.device))[:VALUES]
    return Met(
        device=device,
        place=visitor.place,
        before=known,
        after=attrs.evolve(joined, version=known.version) if known else joined,
        cookies=(_cookie(values, policy),),
        is_new=not is_first_sign_in(known, customer, policy, now),
        is_told_again=told,
    )


def _cookie(values: tuple[Secret[str], ...], policy: DevicePolicy) -> SetCookie:
    joined = Secret(_SEPARATOR.join(value.reveal() for value in values))
    return SetCookie(name=DEVICE_COOKIE, value=joined, max_age=policy.known_for)
