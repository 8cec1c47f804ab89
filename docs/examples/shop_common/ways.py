"""Where somebody is sent who may not do something yet."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from shopaccounts.kernel.assurance import SessionScope

__all__ = ["way_in", "way_to_prove"]

_OWN_TASK: Final[Mapping[SessionScope | None, str]] = {
    SessionScope.CLOSING: "/account/stay",
    SessionScope.CHANGE_PASSWORD: "/account/password",
}


def way_in(path: str, scope: SessionScope | None) -> str:
    """Answer where to sign in for a page.

    Args:
        path: The page.
        scope: What the browser's session is for, None without one; one for a single task leads there.
    """
    return _OWN_TASK.get(scope, f"/sign-in?next={quote(path)}")


def way_to_prove(path: str) -> str:
    """Answer where to type the password again, and come back to the page that the form was on.

    All forms of ``/account/sessions/...`` stand on ``/account/sessions``, and so on.
    """
    return f"/confirm-identity?next={quote('/'.join(path.split('/')[:3]))}"
