"""Which browser began something that takes several requests.

A browser holds one random value for all that it has begun. What it began keeps a digest of that value, and goes on in
that browser only: a handle that got into somebody else's hands is worth nothing there. [OWASP ASVS 6.6.2, 10.1.2]
"""

import hashlib

import attrs

from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret, same
from shopaccounts.kernel.web import FLOW_COOKIE, SetCookie

__all__ = ["Binding", "bind", "is_same_browser"]

_LEAST = 22
_MOST = 128
"""How long the value of a browser is; what is shorter isn't ours."""


@attrs.frozen(kw_only=True)
class Binding:
    """What a flow keeps of its browser, and the cookie of a browser that had none."""

    digest: bytes = attrs.field(repr=False)
    cookies: tuple[SetCookie, ...]


def bind(context: RequestContext, entropy: Entropy) -> Binding:
    """Bind what begins now to the browser that asks; one that holds no value yet gets one."""
    held = _value(context)
    if held is not None:
        return Binding(digest=_digest(held), cookies=())
    fresh = Secret(entropy.token(256))
    return Binding(digest=_digest(fresh), cookies=(SetCookie(name=FLOW_COOKIE, value=fresh),))


def is_same_browser(context: RequestContext, digest: bytes) -> bool:
    """Tell whether the browser that asks is the one that was bound."""
    held = _value(context)
    return held is not None and same(_digest(held), digest)


def _value(context: RequestContext) -> Secret[str] | None:
    text = context.binding.reveal() if isinstance(context.binding, Secret) else None
    return context.binding if isinstance(text, str) and _LEAST <= len(text) <= _MOST else None


def _digest(value: Secret[str]) -> bytes:
    return hashlib.sha256(b"shopaccounts/flow/1\0" + value.reveal().encode("utf-8", "surrogatepass")).digest()
