"""Optional packages: who asks for what isn't installed is told what to install, at start-up.

An adapter of an optional package asks here when it is made. So a shop that is put together with it fails at once and by
the extra's name, and never when the first customer comes by.
"""

from importlib import import_module

from shopaccounts.kernel.errors import Defect

__all__ = ["ExtraMissing", "require_extra"]


class ExtraMissing(Defect):
    """An adapter needs a package that isn't installed; *extra* names what brings it."""

    def __init__(self, extra: str, adapter: str) -> None:
        super().__init__(f"{adapter} needs an optional package; install shopaccounts[{extra}]")
        self.extra = extra
        self.adapter = adapter


def require_extra(extra: str, adapter: object, *modules: str) -> None:
    """Make sure that what *adapter* needs can be imported.

    Args:
        extra: The extra that brings it.
        adapter: Who needs it.
        modules: What will be imported.

    Raises:
        ExtraMissing: One of them can't be imported.
    """
    for module in modules:
        try:
            import_module(module)
        except ImportError:
            raise ExtraMissing(extra, type(adapter).__name__) from None
