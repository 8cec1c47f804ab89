"""The shop of the demo, opened over its file as any process of a shop would open it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
from sqlalchemy import URL

from shopaccounts import Adapters, Policies, ShopAccounts
from shopaccounts.adapters.bells import InlineBell
from shopaccounts.adapters.crypto import AesVault, RootKeyring, new_root
from shopaccounts.adapters.mail import MailServer, Tls
from shopaccounts.adapters.smtp import SmtpCourier
from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.desk import Bell
from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.web import LinkBuilder
from shopaccounts.relay import MailPolicy
from shopaccounts.signin import PasskeyPolicy

__all__ = ["OpenShop", "Place", "open_shop"]

_MAIL: Final = MailPolicy(sender="hello@lampenhaus.example", sender_name="Lampenhaus")
_FRONT: Final = Storefront(
    name="Lampenhaus",
    links=LinkBuilder(
        base={StoreId("main"): "https://lampenhaus.example"},
        paths={"verify_contact": "/confirm", "password_reset": "/new-password"},
    ),
)
_POLICIES: Final = Policies(
    passkeys=PasskeyPolicy(rp_id="lampenhaus.example", rp_name="Lampenhaus", origins=("https://lampenhaus.example",))
)


@attrs.frozen(kw_only=True)
class Place:
    """Where the shop's things are.

    Args:
        folder: Of the database and the keys.
        mail_port: Of the mail server on this machine.
    """

    folder: Path
    mail_port: int

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "shop.sqlite"


@attrs.frozen
class OpenShop:
    """A shop and its storage."""

    shop: ShopAccounts
    storage: SqlStorage


def open_shop(place: Place, clock: FixedClock, bell: Bell | None = None) -> OpenShop:
    """Open the shop; the first time, file, tables and keys are made.

    Args:
        place: Where its things are.
        clock: What time it is.
        bell: None delivers mail at once, so that the story can be told in its order.
    """
    keyring, entropy = _keyring(place.folder / "keys.txt"), SystemEntropy()
    vault = AesVault(keyring, entropy)
    url = URL.create("sqlite", database=str(place.database))
    storage = SqlStorage(url, personal_data="sealed", vault=vault, keyring=keyring)
    storage.migrate()
    courier = SmtpCourier(MailServer(host="127.0.0.1", port=place.mail_port, tls=Tls.NONE), _MAIL)
    deliver: Callable[[], object] = lambda: shop.relay.deliver_pending()  # noqa: E731, PLW0108  (the shop comes after its bell)
    shop = ShopAccounts(
        adapters=Adapters(
            storage=storage,
            keyring=keyring,
            vault=vault,
            couriers={Channel.EMAIL: courier},
            bell=bell or InlineBell(deliver),
            clock=clock,
            entropy=entropy,
        ),
        storefront=_FRONT,
        policies=_POLICIES,
    )
    return OpenShop(shop, storage)


def _keyring(path: Path) -> RootKeyring:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(new_root(SystemEntropy()), "ascii")
    return RootKeyring.from_file(path)
