"""Puts the shop together: its name and addresses, its database, its mail, its keys."""

from collections.abc import Mapping

from sqlalchemy import URL

from shop_common import Mailbox, Settings
from shopaccounts import Adapters, ShopAccounts
from shopaccounts.adapters.bells import ThreadBell
from shopaccounts.adapters.crypto import AesVault
from shopaccounts.adapters.smtp import SmtpCourier
from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.time import Clock
from shopaccounts.relay import Courier, MailPolicy

__all__ = ["open_shop"]

MAIL = MailPolicy(sender="hello@lampenhaus.example", sender_name="Lampenhaus")


def open_shop(settings: Settings, clock: Clock) -> ShopAccounts:
    """Open the shop over its SQLite file; the first time, the file and its tables are made."""
    keyring, entropy = settings.keyring(), SystemEntropy()
    vault = AesVault(keyring, entropy)
    storage = SqlStorage(
        URL.create("sqlite", database=str(settings.database)), personal_data="sealed", vault=vault, keyring=keyring
    )
    storage.migrate()
    bell = ThreadBell(lambda: shop.relay.deliver_pending())  # noqa: PLW0108  (the shop comes after its bell)
    shop = ShopAccounts(
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
    return shop


def couriers(settings: Settings) -> Mapping[Channel, Courier]:
    """Answer who takes the mail; in development a page shows it, whether or not somebody takes it."""
    if settings.development:
        return {Channel.EMAIL: Mailbox(SmtpCourier(settings.mail_server, MAIL) if settings.mail_server else None)}
    return {Channel.EMAIL: SmtpCourier(settings.require_mail_server(), MAIL)}
