"""Customer accounts for online shops, as a library: the finished domain, framework-agnostic.

Who opens this folder sees the business: ``registration``, ``passwords``, ``signin``, ``recovery``, ``customers``. Each
context has its words (``model``), what differs between shops (``policy``), its rules by name, what happened
(``events``), how it says no (``errors``), what it needs (``ports``) and what people do (``usecases``). ``kernel`` holds
the words that every context shares, ``adapters`` the libraries and databases, ``testing`` what proves them.

``ShopAccounts`` puts a shop together for a sync host, ``AsyncShopAccounts`` for an async one.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shopaccounts.assurance import AssuranceProfile
    from shopaccounts.shop import Adapters, AsyncShopAccounts, Policies, ShopAccounts

__all__ = ["Adapters", "AssuranceProfile", "AsyncShopAccounts", "Policies", "ShopAccounts"]


def __getattr__(name: str) -> Any:
    """Load the shop with its first use, so that importing the package costs next to nothing (PEP 562)."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from shopaccounts import assurance, shop  # noqa: PLC0415  (see above)

    return getattr(assurance if name in assurance.__all__ else shop, name)
