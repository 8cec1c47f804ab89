"""Mail domains that give out addresses for a few minutes, by the list of disposable-email-domains.

The list is as old as the package that is installed. It names a risk and is no verdict: what follows is for the shop's
policy to say.
"""

from typing import Final

from shopaccounts.adapters.extras import require_extra

__all__ = ["ListedDisposableDomains"]

_LONGEST: Final = 253


class ListedDisposableDomains:
    """Keeps the promises of ``DisposableDomains``.

    Raises:
        ExtraMissing: The extra ``disposable`` isn't installed.
    """

    def __init__(self) -> None:
        require_extra("disposable", self, "disposable_email_domains")
        from disposable_email_domains import blocklist  # noqa: PLC0415  (optional)

        self._listed = frozenset(blocklist)

    def lists(self, domain: str) -> bool:
        """Tell whether *domain*, or one above it, gives out throw-away addresses."""
        labels = domain.lower().removesuffix(".").split(".") if len(domain) <= _LONGEST + 1 else []
        return any(".".join(labels[place:]) in self._listed for place in range(len(labels)))
