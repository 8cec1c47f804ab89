"""A shop that was given no bell sends its mail by itself, right after the change, in the way of its host."""

import asyncio
import queue
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shopaccounts import Adapters, AsyncShopAccounts, Policies, ShopAccounts
from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.desk import SilentBell
from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.web import LinkBuilder
from shopaccounts.passwords import Argon2Profile, PasswordPolicy
from shopaccounts.registration import RegistrationForm
from shopaccounts.relay import Accepted, Rendered
from shopaccounts.testing.doubles import Late

FORM = RegistrationForm(identifier="ann@winter.example", password="four lamps and a moth in winter")
POLICIES = Policies(passwords=PasswordPolicy(hashing=Argon2Profile.tests_only()))
FRONT = Storefront(
    name="Lampenhaus",
    links=LinkBuilder(
        base={StoreId("main"): "https://lampenhaus.example"},
        paths={"verify_contact": "/confirm", "password_reset": "/new-password"},
    ),
)


class Tray:
    """Takes mail."""

    def __init__(self) -> None:
        self.mails: queue.Queue[Rendered] = queue.Queue()

    def send(self, message: Rendered) -> Accepted:
        self.mails.put(message)
        return Accepted()

    def hang_up(self) -> None:
        pass


def adapters(tray: Tray, *, late: bool = False, **more: Any) -> Adapters:
    storage = Late(MemoryStorage()) if late else MemoryStorage()
    keyring = RootKeyring([Secret(bytes(range(32)))])
    return Adapters(storage=storage, keyring=keyring, couriers={Channel.EMAIL: tray}, **more)


@pytest.mark.proves("KER-149")
def test_a_blocking_shop_sends_mail_from_a_thread_of_its_own() -> None:
    tray = Tray()
    shop = ShopAccounts(adapters=adapters(tray), storefront=FRONT, policies=POLICIES)
    shop.registration.register(FORM, RequestContext(secure=True))
    assert tray.mails.get(timeout=10).to == "ann@winter.example"


@pytest.mark.proves("KER-149")
def test_an_async_shop_sends_mail_from_a_task_of_its_loop() -> None:
    async def main() -> str:
        tray = Tray()
        shop = AsyncShopAccounts(adapters=adapters(tray, late=True), storefront=FRONT, policies=POLICIES)
        await shop.registration.register(FORM, RequestContext(secure=True))
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        return tray.mails.get_nowait().to

    assert asyncio.run(main()) == "ann@winter.example"


@pytest.mark.proves("KER-149")
def test_a_shop_without_bell_and_worker_sends_mail_when_a_request_calls_upkeep() -> None:
    tray, clock = Tray(), FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    silent = adapters(tray, bell=SilentBell(), clock=clock)
    shop = ShopAccounts(adapters=silent, storefront=FRONT, policies=POLICIES)
    shop.registration.register(FORM, RequestContext(secure=True))
    assert tray.mails.empty()
    clock.advance(timedelta(minutes=1))
    assert shop.upkeep.tick().finished
    assert tray.mails.get_nowait().to == "ann@winter.example"
