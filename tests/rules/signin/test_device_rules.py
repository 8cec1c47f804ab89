"""Knowing a browser again, as rules: what a cookie holds, who goes when there are too many, how a browser is called."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.customers import AccountStatus, Customer, Origin, Standing
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import CustomerId, RealmId
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import DevicePolicy, device_label
from shopaccounts.signin.devices import Visitor, agent_family, device_values, forget, meet, recognise, wider_network
from shopaccounts.signin.unusual import notice_of
from shopaccounts.testing.doubles import ScriptedEntropy

NOW = datetime(2031, 1, 1, 12, tzinfo=UTC)
POLICY = DevicePolicy()
DAY = timedelta(days=1)


def customer(name="ann", created_at=NOW):
    standing = Standing(status=AccountStatus.ACTIVE)
    origin = Origin.REGISTRATION
    return Customer(id=CustomerId(name), realm=RealmId("main"), standing=standing, created_at=created_at, origin=origin)


class Account:
    """One account that meets browsers."""

    def __init__(self, name="ann"):
        self.customer, self.entropy = customer(name), ScriptedEntropy(name)
        self.known: Any = None

    def meets(self, cookie=None, *, now=NOW, like="", policy=POLICY):
        met = meet(self.customer, self.known, Visitor(device=cookie, seen_like=like), policy, self.entropy, now)
        for write in met.change.writes:
            self.known = write.now
        return met

    def brings(self, cookie=None, **named):
        """The cookie that the browser has after meeting the account."""
        met = self.meets(cookie, **named)
        return met.cookies[0].value if met.cookies else cookie


@pytest.mark.proves("SIG-50")
def test_a_value_is_known_to_the_one_account_that_it_was_made_for() -> None:
    ann, ben = Account(), Account("ben")
    anns = ann.brings()
    bens = ben.brings()
    assert recognise(ann.known, anns, NOW)
    assert recognise(ben.known, anns, NOW) is None
    moved = attrs.evolve(ben.known, devices=ann.known.devices, realm=RealmId("other"))
    assert recognise(moved, anns, NOW) is None, "not even if a store mixes realms up"
    text = bens.reveal()
    assert recognise(ann.known, Secret(f"{anns.reveal()[:-43]}{text[-43:]}"), NOW) is None


@pytest.mark.proves("SIG-50")
def test_a_browser_of_several_people_carries_four_values_the_newest_first() -> None:
    accounts, cookie = [Account(name) for name in "abcde"], None
    for account in accounts:
        cookie = account.brings(cookie)
    assert len(device_values(cookie)) == 4
    assert [recognise(account.known, cookie, NOW) is not None for account in accounts] == [
        False,
        True,
        True,
        True,
        True,
    ]


@pytest.mark.proves("SIG-50")
def test_an_account_knows_twenty_devices_and_drops_the_one_that_was_not_used_for_longest() -> None:
    ann = Account()
    cookies = [ann.brings(now=NOW + number * DAY) for number in range(20)]
    assert ann.meets(cookies[0], now=NOW + 30 * DAY).is_new is False
    cookies.append(ann.brings(now=NOW + 31 * DAY))
    later = NOW + 31 * DAY
    assert len(ann.known.devices) == 20
    assert [recognise(ann.known, cookie, later) is None for cookie in cookies] == [False, True] + [False] * 19


@pytest.mark.proves("SIG-50")
def test_a_shop_may_know_one_device_alone() -> None:
    ann, policy = Account(), DevicePolicy(at_most=1)
    first, second = ann.brings(policy=policy), ann.brings(policy=policy)
    assert (recognise(ann.known, first, NOW), len(ann.known.devices)) == (None, 1)
    assert recognise(ann.known, second, NOW)


@pytest.mark.proves("SIG-50")
def test_a_device_is_known_for_four_hundred_days_after_its_last_use_which_is_noted_once_a_day() -> None:
    ann = Account()
    cookie = ann.brings()
    assert ann.meets(cookie, now=NOW + DAY - timedelta(seconds=1)).change.is_empty
    noted = ann.meets(cookie, now=NOW + DAY)
    assert (noted.change.is_empty, noted.cookies[0].max_age) == (False, POLICY.known_for)
    assert recognise(ann.known, cookie, NOW + DAY + POLICY.known_for - timedelta(seconds=1))
    assert recognise(ann.known, cookie, NOW + DAY + POLICY.known_for) is None


@pytest.mark.proves("SIG-52")
def test_a_device_that_is_forgotten_is_not_known_and_leaves_the_others() -> None:
    ann = Account()
    one, other = ann.brings(), ann.brings()
    forgotten = recognise(ann.known, one, NOW)
    assert forgotten is not None
    left = forget(ann.known, forgotten.public_id)
    assert left is not None
    assert recognise(left, one, NOW) is None
    assert recognise(left, other, NOW)
    assert forget(left, "unknown") is None


@pytest.mark.proves("SIG-54")
def test_every_device_is_new_but_the_first_and_those_that_are_known() -> None:
    ann = Account()
    first = ann.meets()
    assert (first.is_new, ann.meets(first.cookies[0].value).is_new, ann.meets().is_new) == (False, False, True)
    ann.known = attrs.evolve(ann.known, devices=())
    assert ann.meets().is_new, "an account that forgot all its devices is not a fresh one"
    old = Account()
    assert old.meets(now=NOW + POLICY.known_for).is_new, "nor is one of which everything has lapsed"


@pytest.mark.proves("SIG-55")
def test_a_like_browser_in_a_like_network_is_told_once_a_day() -> None:
    ann = Account()
    ann.meets()
    assert not ann.meets(like="a", now=NOW + DAY).is_told_again
    assert ann.meets(like="a", now=NOW + 2 * DAY - timedelta(seconds=1)).is_told_again
    assert not ann.meets(like="b", now=NOW + 2 * DAY - timedelta(seconds=1)).is_told_again
    again = ann.meets(like="a", now=NOW + 3 * DAY)
    assert (again.is_new, again.is_told_again) == (True, False)


@given(st.text() | st.from_regex(r"sa1\.(dev|ses)\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(~.*)?", fullmatch=True))
@pytest.mark.proves("SIG-50", "KER-201")
def test_whatever_stands_in_a_cookie_is_read_without_harm(text) -> None:
    ann = Account()
    ann.meets()
    assert len(device_values(Secret(text))) <= 4
    assert recognise(ann.known, Secret(text), NOW) is None
    assert device_values(Secret(text * 100)) == () or len(text) < 4


@pytest.mark.parametrize(
    ("agent", "label"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox, Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML) Chrome/131.0 Safari/537.36",
            "Chrome, Windows",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36 Edg/131.0",
            "Edge, Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1 (KHTML) Version/18 Safari/604.1",
            "Safari, iPhone",
        ),
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7) AppleWebKit/605.1 Version/18 Safari/605.1", "Safari, macOS"),
        ("LampApp/4.2 (Android 14)", "LampApp, Android"),
        ("curl/8.9.1", "curl"),
        ("", ""),
        ("/", ""),
        ("<script>", ""),
    ],
)
@pytest.mark.proves("SIG-52")
def test_a_browser_is_named_by_its_kind_and_system(agent, label) -> None:
    assert device_label(agent) == label


@pytest.mark.proves("SIG-55", "SIG-79")
def test_a_new_version_is_the_same_kind_of_browser() -> None:
    old, new = (f"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/{version}.0" for version in (120, 133))
    assert agent_family(old) == agent_family(new) == "Firefox"


@pytest.mark.proves("SIG-55")
@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::9", "2001:db8:1::/48"),
        (None, "unknown"),
    ],
)
def test_the_wider_network_of_an_address(address, network) -> None:
    assert wider_network(ip_address(address) if address else None) == network


@pytest.mark.proves("SIG-80")
def test_one_sign_in_is_told_for_one_reason() -> None:
    ann = Account()
    first = ann.meets()
    before, new = ann.known, ann.meets(like="another")
    assert notice_of(first, None, 4, POLICY, NOW) is None
    assert notice_of(first, None, 5, POLICY, NOW) == "signin.after_failures"
    assert notice_of(new, before, 5, POLICY, NOW) == "signin.after_failures"
    assert notice_of(new, before, 0, POLICY, NOW) == "signin.new_device"
    again = ann.meets(first.cookies[0].value)
    assert notice_of(again, before, 0, POLICY, NOW + 180 * DAY - timedelta(seconds=1)) is None
    assert notice_of(again, before, 0, POLICY, NOW + 180 * DAY) == "signin.after_silence"


@pytest.mark.proves("SIG-50")
@pytest.mark.parametrize(
    "values",
    [
        {"at_most": 0},
        {"at_most": 51},
        {"known_for": timedelta(days=180)},
        {"told_after_silence": timedelta(hours=1)},
        {"told_once_in": timedelta(seconds=-1)},
        {"told_after_failures": 0},
    ],
)
def test_a_policy_of_devices_that_contradicts_itself_fails_at_start_up(values) -> None:
    with pytest.raises(BadPolicy):
        DevicePolicy(**values)
