"""What the shop sells."""

import attrs
from babel.numbers import format_currency

from shopaccounts.kernel.money import Money

__all__ = ["PRODUCTS", "Product", "price_tag"]


def price_tag(price: Money) -> str:
    """Answer a price as people read it."""
    return format_currency(price.to_decimal(), price.currency, locale="en_IE")


@attrs.frozen(kw_only=True)
class Product:
    """Something to buy."""

    name: str
    text: str
    price: Money

    @property
    def price_tag(self) -> str:
        """The price as people read it."""
        return price_tag(self.price)


PRODUCTS = (
    Product(name="Reading lamp", text="Bends wherever the book is.", price=Money.of("49.00", "EUR")),
    Product(name="Lantern", text="For the garden, and for power cuts.", price=Money.of("24.50", "EUR")),
    Product(name="Night light", text="Glows until half past three.", price=Money.of("12.90", "EUR")),
    Product(name="Ceiling light", text="Paper, one metre across, folds flat.", price=Money.of("89.00", "EUR")),
)
