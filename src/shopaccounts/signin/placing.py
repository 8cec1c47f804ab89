"""About where a request came from; a look-up that fails keeps nobody out."""

import logging

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.request import RequestContext
from shopaccounts.signin.ports import Places

__all__ = ["place_of"]

log = logging.getLogger("shopaccounts")


async def place_of(places: Places, context: RequestContext) -> str | None:
    """Answer about where a request came from, None if nobody knows."""
    if context.client_ip is None:
        return None
    try:
        return await got(places.coarse(context.client_ip))
    except Exception:
        log.exception("the place of an address could not be looked up")
        return None
