"""Puts the shop together: its name and addresses, its database, its mail, its keys."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy import URL

from shop_common import Mailbox, Settings
from shopaccounts import Adapters, AsyncShopAccounts
from shopaccounts.adapters.aiosmtp import AsyncSmtpCourier
from shopaccounts.adapters.bells import TaskBell
from shopaccounts.adapters.crypto import AesVault
from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.time import Clock
from shopaccounts.relay import Courier, MailPolicy

__all__ = ["open_shop"]

MAIL = MailPolicy(sender="hello@lampenhaus.example", sender_name="Lampenhaus")


@asynccontextmanager
async def open_shop(settings: Settings, clock: Clock) -> AsyncIterator[AsyncShopAccounts]:
    """Open the shop over its SQLite file, and close it in the end; the first time, file and tables are made."""
    keyring, entropy = settings.keyring(), SystemEntropy()
    vault = AesVault(keyring, entropy)
    url = URL.create("sqlite+aiosqlite", database=str(settings.database))
    storage = AsyncSqlStorage(url, personal_data="sealed", vault=vault, keyring=keyring)
    await storage.migrate()
    bell = TaskBell(lambda: shop.relay.deliver_pending())  # noqa: PLW0108  (the shop comes after its bell)
    shop = AsyncShopAccounts(
        adapters=Adapters(
            storage=storage,
            keyring=keyring,
            vault=vault,
            couriers=couriers(settings),
            bell=bell,
            clock=clock,
            entropy=entropy,
        ),
        storefront=settings.storefront(),
        policies=settings.policies(),
    )
    try:
        yield shop
    finally:
        await bell.close()
        await storage.close()


def couriers(settings: Settings) -> Mapping[Channel, Courier]:
    """Answer who takes the mail; in development a page shows it, whether or not somebody takes it."""
    if settings.development:
        return {Channel.EMAIL: Mailbox(AsyncSmtpCourier(settings.mail_server, MAIL) if settings.mail_server else None)}
    return {Channel.EMAIL: AsyncSmtpCourier(settings.require_mail_server(), MAIL)}
