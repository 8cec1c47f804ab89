"""What the tests of providers share: a provider, a shop that knows it, and a browser that goes there."""

from typing import Any

import pytest

from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Book
from shopaccounts.providers import ProviderConfig, ProviderPolicy
from shopaccounts.registration import FieldRule, RegistrationForm, RegistrationPolicy
from shopaccounts.signin import CodeSignInPolicy
from shopaccounts.testing.builders import BuiltShop, ShopBuilder, quick_policies
from shopaccounts.testing.providers import Browser, LittleProvider, QuickTokens

FRIDA = "frida@lampenhaus.example"
NO_CODES = CodeSignInPolicy(ways=frozenset())
FIELDS = RegistrationPolicy(fields={"first_name": FieldRule(), "company": FieldRule(longest=5)})


@pytest.fixture
def provider(builder: ShopBuilder) -> LittleProvider:
    return LittleProvider(lambda: builder.clock.now())  # noqa: PLW0108  (the builder's clock may be replaced)


class Shops:
    """Shops over one storage, each with its own idea of the provider."""

    no_codes = NO_CODES

    def __init__(self, builder: ShopBuilder, provider: LittleProvider) -> None:
        self.builder, self.provider = builder, provider
        self.others: dict[str, LittleProvider] = {}
        builder.ports = {"id_tokens": QuickTokens(self)}

    def fetch(self, address: str) -> bytes | None:
        """Answer the keys of whichever provider has that address."""
        return self.others.get(address, self.provider).fetch(address)

    def another(self, id: str = "zweite") -> LittleProvider:
        """Answer another provider."""
        other = LittleProvider(self.builder.clock.now, id)
        self.others[other.config().keys] = other
        return other

    def __call__(self, *others: ProviderConfig, **changed: Any) -> BuiltShop:
        """Answer a shop that knows the provider, changed, and others."""
        return self.with_policies(ProviderPolicy(configs=(self.provider.config(**changed), *others)))

    def with_policies(self, providers: ProviderPolicy, **more: Any) -> BuiltShop:
        """Answer a shop of these policies."""
        self.builder.policies = quick_policies(**{"registration": FIELDS, "providers": providers, **more})
        return self.builder.build()

    def rows(self, book: Book[Any]) -> list[Any]:
        """Answer everything of a book."""
        storage: Any = self.builder.storage
        realm = storage.snapshot()[self.builder.scope.realm]
        return list(realm.books[book.name].values())

    @property
    def told(self) -> list[str]:
        """The names of all that was told, in order."""
        return [event.name for event in self.rows(EVENTS)]

    @staticmethod
    def form(email: str) -> RegistrationForm:
        """Answer what somebody fills in who has no password."""
        return RegistrationForm(identifier=email)

    def browser(self, shop: BuiltShop) -> Browser:
        """Answer a new browser."""
        return Browser(shop=shop, provider=self.provider)


@pytest.fixture
def shops(builder: ShopBuilder, provider: LittleProvider) -> Shops:
    return Shops(builder, provider)


@pytest.fixture
def shop(shops: Shops) -> BuiltShop:
    return shops()


@pytest.fixture
def browser(shops: Shops, shop: BuiltShop) -> Browser:
    return shops.browser(shop)
