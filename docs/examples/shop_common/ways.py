"""Where somebody is sent who may not do something yet."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from shopaccounts.kernel.assurance import SessionScope
from shopaccounts.kernel.errors import FreshSignInNeeded

__all__ = ["way_in", "way_to_prove"]

_OWN_TASK: Final[Mapping[SessionScope | None, str]] = {
    SessionScope.CLOSING: "/account/stay",
    SessionScope.CHANGE_PASSWORD: "/account/password",
    SessionScope.ENROL_ONLY: "/account/security/apps/add",
}


def way_in(path: str, scope: SessionScope | None) -> str:
    """Answer where to sign in for a page.

    Args:
        path: The page.
        scope: What the browser's session is for, None without one; one for a single task leads there.
    """
    return _OWN_TASK.get(scope, f"/sign-in?next={quote(path)}")


def way_to_prove(path: str, needed: FreshSignInNeeded) -> str:
    """Answer where to prove again who one is, and come back to the page that the form was on.

    All forms of ``/account/sessions/...`` stand on ``/account/sessions``, and so on.

    Args:
        path: Where it was asked for.
        needed: What the library said; it names by what the customer can do that.
    """
    return "/confirm-identity?" + urlencode({"next": "/".join(path.split("/")[:3]), "by": " ".join(needed.methods)})
