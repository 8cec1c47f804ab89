"""Something that happens between what a use-case reads and what it records."""

from collections.abc import Awaitable, Callable
from typing import Any

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.testing.wrapping import PortCall, wrapped

__all__ = ["Between"]


class Between:
    """Lets something happen once between what a use-case reads and what it records; wraps its ports.

    Args:
        happens: What somebody else does meanwhile.
    """

    def __init__(self, happens: Callable[[], Awaitable[object]]) -> None:
        self.happened = False
        self._happens = happens

    def __call__(self, port: Any) -> Any:
        """Answer a stand-in for a port or a storage."""
        return wrapped(port, self._around)

    def _around(self, call: PortCall) -> Answer[Any]:
        if call.method != "record" or self.happened:
            return call.make()
        self.happened = True
        return self._after(call)

    async def _after(self, call: PortCall) -> Any:
        await self._happens()
        return await got(call.make())
