"""Ports that fail on call, are written down, or leave secrets lying about."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from shopaccounts import serial
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import OutcomeUnknown, StaleWrite, TryLater, Unavailable
from shopaccounts.kernel.limits import Held, Limit, Throttle, Wait
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, put, refused
from shopaccounts.testing.doubles import Late, ScriptedEntropy
from shopaccounts.testing.faults import Fault, Faulty
from shopaccounts.testing.leaks import Leak, assert_no_leak, files_below, find_leaks
from shopaccounts.testing.plugin import BLOCKING
from shopaccounts.testing.recording import Recorder, assert_indistinguishable
from shopaccounts.testing.toys import BOXES, LIDS, NOW, box, lid

SCOPE = Scope.single()
SECRET = "s3cret-Ticket/+~ü"


@pytest.fixture
def empty(host: str) -> Storage:
    return MemoryStorage() if host == BLOCKING else Late(MemoryStorage())


@pytest.mark.proves("TES-109")
async def test_a_fault_strikes_at_the_call_it_is_planned_for(empty: Storage) -> None:
    faulty = Faulty({("find", 2): Fault(Unavailable("connection_lost")), ("record", 1): Fault(StaleWrite("box", "1"))})
    store = faulty(empty).open(SCOPE)
    assert faulty.unused == {("find", 2), ("record", 1)}
    assert await find(store, BOXES, "box") is None
    await refused(Unavailable("connection_lost"), store.find, BOXES, "box")
    assert await find(store, BOXES, "box") is None
    await refused(StaleWrite("box", "1"), store.record, Change(writes=(BOXES.add(box(SCOPE)),)))
    assert await find(empty.open(SCOPE), BOXES, "box") is None
    assert not faulty.unused
    await put(store, BOXES, box(SCOPE))


@pytest.mark.proves("TES-109")
async def test_a_connection_that_breaks_after_the_commit_leaves_what_was_stored(empty: Storage) -> None:
    store = Faulty({("record", 1): Fault(OutcomeUnknown(), took_effect=True)})(empty).open(SCOPE)
    await refused(OutcomeUnknown, store.record, Change(writes=(BOXES.add(box(SCOPE)),)))
    assert await find(store, BOXES, "box") == box(SCOPE)


@pytest.mark.proves("TES-109", "KER-154")
async def test_attempts_that_can_not_be_counted_are_not_let_in(empty: Storage) -> None:
    rule = Wait(free=1, base=(hour := NOW - NOW.replace(hour=11)), cap=hour, forget_after=None)
    for plan in ({("read", 1): Fault(Unavailable("x"))}, {("swap", 1): Fault(Unavailable("x"), took_effect=True)}):
        throttle = Throttle(Faulty(plan)(empty).counters(SCOPE))
        with pytest.raises(TryLater):
            await throttle.charge(Limit("pw:k", rule), now=NOW)
    answer = await Throttle(empty.counters(SCOPE)).charge(Limit("pw:k", rule), now=NOW)
    assert isinstance(answer, Held), "the charge whose answer was lost counts; never one too few"


@pytest.mark.proves("TES-109")
async def test_what_a_recorder_wraps_is_listed_call_by_call(empty: Storage) -> None:
    recorder = Recorder()
    storage = recorder(empty)
    dice = recorder(ScriptedEntropy(), "dice")
    await find(storage.open(SCOPE), BOXES, "box")
    dice.token(128)
    await got(storage.counters(SCOPE).add("k", 1, NOW, NOW))
    await got(storage.leases(SCOPE).acquire("nightly", "w", NOW - NOW, NOW))  # type: ignore[arg-type]  # any worker
    assert recorder.trace == [("records", "find"), ("dice", "token"), ("counters", "add"), ("leases", "acquire")]
    assert storage.counters(SCOPE).volatile, "what is no call passes unseen"


async def honest(storage: Storage, recorder: Recorder) -> str:
    store = recorder(storage).open(SCOPE)
    await find(store, BOXES, "box")
    await put(store, LIDS, lid(SCOPE))
    return "look into your mail"


async def telling(storage: Storage, recorder: Recorder) -> str:
    return "welcome back" if await find(recorder(storage).open(SCOPE), BOXES, "box") else "look into your mail"


async def busy(storage: Storage, recorder: Recorder) -> str:
    store = recorder(storage).open(SCOPE)
    if await find(store, BOXES, "box"):
        await put(store, LIDS, lid(SCOPE))
    return "look into your mail"


@pytest.fixture
def situations(host: str) -> Callable[[], dict[str, Storage]]:
    def fresh() -> dict[str, Storage]:
        known = MemoryStorage()
        known.open(SCOPE).record(Change(writes=(BOXES.add(box(SCOPE)),)))
        storages: dict[str, Storage] = {"unknown": MemoryStorage(), "known": known}
        return storages if host == BLOCKING else {name: Late(storage) for name, storage in storages.items()}

    return fresh


@pytest.mark.proves("KER-254")
async def test_a_use_case_that_tells_or_does_more_in_one_situation_is_found(
    situations: Callable[[], dict[str, Storage]],
) -> None:
    await assert_indistinguishable(honest, situations())
    with pytest.raises(AssertionError, match="'known' answers"):
        await assert_indistinguishable(telling, situations())
    with pytest.raises(AssertionError, match="'known' asks"):
        await assert_indistinguishable(busy, situations())


@attrs.frozen
class Careless:
    token: str
    raw: bytes


DRESSES: dict[str, str | bytes] = {
    "text": f"log: {SECRET}!",
    "bytes": b"\0\1" + SECRET.encode() + b"\2",
    "utf-16": f"x{SECRET}".encode("utf-16-le"),
    "json": '{"a":"s3cret-Ticket/+~\\u00fc"}',
    "url": "/reset?t=s3cret-Ticket%2F%2B~%C3%BC&x=1",
    "hex": SECRET.encode().hex(),
    "repr": repr(Careless(SECRET, b"")),
    "serialised": serial.dump(Careless("", b"\1\2" + SECRET.encode() + b"\3")),
}


@pytest.mark.proves("TES-111")
@pytest.mark.parametrize("dress", DRESSES)
def test_a_secret_is_found_in_whatever_dress(dress: str) -> None:
    leaks = find_leaks({"ticket": SECRET}, [("elsewhere", "nothing here"), (dress, DRESSES[dress])])
    assert {(leak.secret, leak.place) for leak in leaks} == {("ticket", dress)}
    assert SECRET not in repr(leaks)
    with pytest.raises(AssertionError, match="ticket"):
        assert_no_leak({"ticket": SECRET}, [(dress, DRESSES[dress])])


@pytest.mark.proves("TES-111")
@pytest.mark.parametrize("before", range(7))
def test_a_secret_inside_base_64_is_found_wherever_it_begins(before: int) -> None:
    cell = serial.dump(Careless("", b"x" * before + b"\xff\xfe\xfd secret \x00\x01" + b"y" * before))
    assert find_leaks({"key": b"\xff\xfe\xfd secret \x00\x01"}, [("cell", cell)])
    url_safe = cell.replace("+", "-").replace("/", "_")
    assert find_leaks({"key": b"\xff\xfe\xfd secret \x00\x01"}, [("cell", url_safe)])


@pytest.mark.proves("TES-111")
def test_files_are_searched_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "shop.db").write_bytes(b"\0" * 9000 + SECRET.encode())
    (tmp_path / "shop.log").write_text("nothing", "utf-8")
    assert find_leaks({"ticket": SECRET}, files_below(tmp_path)) == (Leak("ticket", "as it is", "below/shop.db"),)
    assert_no_leak({"another": "not-in-there"}, files_below(tmp_path))


@pytest.mark.proves("TES-111")
def test_what_is_too_short_to_be_told_from_chance_is_refused() -> None:
    with pytest.raises(AssertionError, match="too short"):
        find_leaks({"code": "123456"}, [("x", "y")])
