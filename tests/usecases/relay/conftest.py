"""An office with a relay: everything it needs, at once in a blocking host and late in an async one."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.adapters.crypto import AesVault, RootKeyring
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId, WorkerId
from shopaccounts.kernel.messages import MESSAGES, Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.writing import compose
from shopaccounts.relay import (
    Accepted,
    CourierAnswer,
    Relay,
    RelayPolicy,
    Rendered,
    Target,
    TemplateUnknown,
    Wording,
)
from shopaccounts.testing.doubles import Late, ScriptedEntropy

NOW = datetime(2027, 2, 1, 12, tzinfo=UTC)
Courier = Callable[[Rendered], CourierAnswer]


@attrs.frozen(kw_only=True)
class ToySold(Event):
    """Something happened in the toy department."""

    name = "toys.sold"
    account: AccountId | None
    toy: str = "kite"


@attrs.define
class ScriptedCourier:
    """Answers what it is told to answer, and keeps what it was given."""

    answer: Courier = lambda _: Accepted("provider-1")
    sent: list[Rendered] = attrs.field(factory=list)
    hung_up: int = 0

    def send(self, message: Rendered) -> CourierAnswer:
        self.sent.append(message)
        return self.answer(message)

    def hang_up(self) -> None:
        self.hung_up += 1


class PlainTemplates:
    """Says every variable; knows one broken and one missing text."""

    def render(self, template: str, locale: str, variables: Mapping[str, str], channel: Channel) -> Wording:  # noqa: ARG002  (the port names it)
        if template == "toys.missing":
            raise TemplateUnknown(template)
        if template == "toys.broken":
            raise ZeroDivisionError
        said = " ".join(f"{name}={variables[name]}" for name in sorted(variables))
        return Wording(subject=template, text=said, locale=locale)


@attrs.define
class Office:
    """Everything that the relay works with."""

    scope: Scope
    storage: Storage
    late: bool
    clock: FixedClock = attrs.field(factory=lambda: FixedClock(NOW))
    entropy: ScriptedEntropy = attrs.field(factory=ScriptedEntropy)
    courier: ScriptedCourier = attrs.field(factory=ScriptedCourier)
    keys: int = 0

    @property
    def vault(self) -> AesVault:
        return AesVault(RootKeyring([Secret(b"r" * 32)]), self.entropy)

    @property
    def desk(self) -> Desk:
        store = self.storage.open(self.scope)
        return Desk(scope=self.scope, records=store, clock=self.clock, entropy=self.entropy, bell=SilentBell())

    def port(self, port: Any) -> Any:
        return Late(port) if self.late else port

    def relay(self, *targets: Target, worker: str = "w1", **changes: Any) -> Relay:
        parts: dict[str, Any] = {
            "desk": self.desk,
            "store": self.storage.open(self.scope),
            "vault": self.port(self.vault),
            "templates": self.port(PlainTemplates()),
            "couriers": {Channel.EMAIL: self.port(self.courier)},
            "targets": tuple(self.port(target) for target in targets),
            "policy": RelayPolicy(spread=0),
            "worker": WorkerId(worker),
        }
        return Relay(**{**parts, **changes})

    async def write(self, **changes: Any) -> Message:
        """Record a message, as a use-case does."""
        self.keys += 1
        parts: dict[str, Any] = {
            "template": "toys.parcel",
            "channel": Channel.EMAIL,
            "to": "anna@lampenhaus.example",
            "locale": "en",
            "variables": {"shop": "Lampenhaus"},
            "secrets": {"link": Secret("https://lampenhaus.example/#sa1.tic.ket")},
            "subject": "c1",
            "key": f"key-{self.keys}",
            "category": MessageCategory.SECURITY,
            "priority": Priority.SECURITY,
            "expires_at": self.clock.now() + timedelta(days=2),
        }
        desk = self.desk
        message = await compose(desk, self.port(self.vault), **{**parts, **changes})
        await desk.record(Change(messages=(message,)))
        return message

    async def happen(self, account: str | None = "c1", count: int = 1) -> None:
        """Record events of one customer, as a use-case does."""
        desk = self.desk
        for _ in range(count):
            event = ToySold(at=self.clock.now(), account=AccountId(account) if account else None)
            await desk.record(Change(events=desk.tell(event)))

    async def message(self, id: str) -> Message:
        found = await got(self.storage.open(self.scope).find(MESSAGES, id))
        assert found is not None
        return found.it

    async def standing(self, target: str) -> tuple[int, int]:
        """Answer how many deliveries of a target wait, and how many are dead."""
        counts = {status.target: status for status in (await self.relay().status()).targets}
        return (counts[target].pending, counts[target].dead) if target in counts else (0, 0)


@pytest.fixture
def office(scope: Scope, storage: Storage, host: str) -> Office:
    """Give an office with an empty storage."""
    return Office(scope=scope, storage=storage, late=host == "async")
