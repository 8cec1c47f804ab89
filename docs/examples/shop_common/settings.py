"""What differs between a developer's machine and the real shop."""

import os
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import attrs

from shopaccounts import Policies
from shopaccounts.adapters.crypto import RootKeyring, new_root
from shopaccounts.adapters.mail import MailServer, Tls
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.request import TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.web import LinkBuilder
from shopaccounts.signin import FactorKind, PasskeyPolicy, SecondFactorPolicy

__all__ = ["Settings"]


@attrs.frozen(kw_only=True)
class Settings:
    """Where the shop keeps its things, and how it is reached.

    Args:
        url: The shop's own address, such as ``https://shop.example``. With ``http://`` the shop is in development; that
            works on this machine only, and under the name ``localhost``, since passkeys belong to a name.
        folder: Holds the database and the keys; it is made if it isn't there.
        mail_server: Who takes the mail. None in development, where a page shows it.
    """

    url: str
    folder: Path
    mail_server: MailServer | None = None

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def from_environment(cls, url: str, folder: Path) -> Self:
        """Read ``SHOP_URL``, ``SHOP_FOLDER`` and ``SHOP_MAIL_*``; the arguments are for a developer's machine."""
        return cls(
            url=os.environ.get("SHOP_URL", url),
            folder=Path(os.environ.get("SHOP_FOLDER", folder)),
            mail_server=_mail_server(os.environ.get("SHOP_MAIL_HOST")),
        )

    @property
    def development(self) -> bool:
        """Whether this is a developer's machine."""
        return urlsplit(self.url).scheme == "http"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "shop.sqlite"

    def keyring(self) -> RootKeyring:
        """Answer the keys: from ``SHOP_KEYS``, on a developer's machine from a file that is made the first time."""
        if not self.development:
            return RootKeyring.from_environment("SHOP_KEYS")
        path = self.folder / "keys.txt"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(new_root(SystemEntropy()), "ascii")
        return RootKeyring.from_file(path)

    def storefront(self) -> Storefront:
        """Answer the shop's name, and where the links in its mails lead."""
        paths = {"verify_contact": "/confirm", "password_reset": "/new-password", "invitation": "/invitation"}
        links = LinkBuilder(base={StoreId("main"): self.url}, paths=paths, allow_loopback=self.development)
        return Storefront(name="Lampenhaus", links=links)

    def policies(self) -> Policies:
        """Answer what this shop wants otherwise than others."""
        host = urlsplit(self.url).hostname or ""
        return Policies(
            passkeys=PasskeyPolicy(rp_id=host, rp_name="Lampenhaus", origins=(self.url,)),
            second_factor=SecondFactorPolicy(
                kinds=frozenset({FactorKind.TOTP, FactorKind.PASSKEY, FactorKind.RECOVERY_CODES})
            ),
            transport=TransportPolicy(allow_loopback=self.development),
        )

    def require_mail_server(self) -> MailServer:
        """Answer who takes the mail.

        Raises:
            BadPolicy: Nobody does.
        """
        if self.mail_server is None:
            msg = "a shop that isn't in development needs SHOP_MAIL_HOST"
            raise BadPolicy(msg)
        return self.mail_server


def _mail_server(host: str | None) -> MailServer | None:
    if not host:
        return None
    return MailServer(
        host=host,
        port=int(os.environ.get("SHOP_MAIL_PORT", "587")),
        tls=Tls(os.environ.get("SHOP_MAIL_TLS", "starttls")),
        user=os.environ.get("SHOP_MAIL_USER", ""),
        password=Secret(os.environ.get("SHOP_MAIL_PASSWORD", "")),
    )
