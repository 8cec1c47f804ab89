from datetime import UTC, datetime, timedelta

import attrs
import pytest

from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.kernel.contact import EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import BadPolicy, Throttled
from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.phones import CountryNotServed
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.sending import SendBudget, SendPolicy

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ANN = EmailAddress.parse("ann@lamp.example")
HOME = "192.0.2.1"


@pytest.fixture
def budget(storage, scope):
    return SendBudget(counters=storage.counters(scope), keyring=RootKeyring([Secret(b"k" * 32)]), policy=SendPolicy())


async def refusal(budget, email=ANN, network=HOME, now=NOW, by_owner=True):
    """How long the next message has to wait, None if it may go out."""
    try:
        await budget.charge(email, network, now, by_owner=by_owner)
    except Throttled as throttled:
        return throttled.retry_after
    return None


def networks():
    """Addresses that nobody has asked from before."""
    return (f"198.51.100.{n}" for n in range(250))


class TestMailboxes:
    @pytest.mark.proves("KER-264")
    async def test_one_mailbox_gets_five_messages_an_hour_a_minute_apart(self, budget):
        assert budget.resend_after == MINUTE
        assert await refusal(budget) is None
        assert await refusal(budget, now=NOW + 40 * timedelta(seconds=1)) == 20 * timedelta(seconds=1)
        for n in range(1, 5):
            assert await refusal(budget, now=NOW + n * MINUTE) is None
        assert await refusal(budget, now=NOW + 10 * MINUTE) == 50 * MINUTE
        assert await refusal(budget, now=NOW + HOUR) is None

    @pytest.mark.proves("KER-264")
    async def test_one_mailbox_gets_ten_messages_a_day(self, budget):
        ask, sent = networks(), []
        for n in range(48):
            now = NOW + n * 30 * MINUTE
            if await refusal(budget, network=next(ask), now=now) is None:
                sent.append(now)
        assert len(sent) == 10
        assert await refusal(budget, network=next(ask), now=NOW + 24 * HOUR) is None

    @pytest.mark.proves("KER-264")
    async def test_two_messages_of_each_budget_are_kept_for_the_owner(self, budget):
        ask = networks()
        for n in range(3):
            assert await refusal(budget, network=next(ask), now=NOW + n * MINUTE, by_owner=False) is None
        assert await refusal(budget, network=next(ask), now=NOW + 3 * MINUTE, by_owner=False) == 57 * MINUTE
        for n in range(3, 5):
            assert await refusal(budget, network=next(ask), now=NOW + n * MINUTE) is None
        assert await refusal(budget, network=next(ask), now=NOW + 5 * MINUTE) == 55 * MINUTE
        assert await refusal(budget, network=next(ask), now=NOW + 61 * MINUTE, by_owner=False) == MINUTE
        assert await refusal(budget, network=next(ask), now=NOW + 62 * MINUTE, by_owner=False) is None

    @pytest.mark.proves("KER-264")
    async def test_a_day_of_asking_leaves_the_owner_two(self, budget):
        ask, sent = networks(), 0
        for n in range(47):
            sent += await refusal(budget, network=next(ask), now=NOW + n * 30 * MINUTE, by_owner=False) is None
        assert sent == 8
        late = NOW + 23 * HOUR + 30 * MINUTE
        assert await refusal(budget, network=next(ask), now=late) is None
        assert await refusal(budget, network=next(ask), now=late + MINUTE) is None
        assert await refusal(budget, network=next(ask), now=late + 2 * MINUTE) == 28 * MINUTE

    @pytest.mark.parametrize("kept", [-1, 5])
    def test_what_is_kept_leaves_others_something(self, kept):
        with pytest.raises(BadPolicy):
            SendPolicy(kept_for_owner=kept)

    @pytest.mark.proves("KER-264")
    async def test_all_spellings_of_a_mailbox_share_its_budget(self, budget):
        ask = networks()
        assert await refusal(budget, EmailAddress.parse("ann.lamp@gmail.com"), next(ask)) is None
        for same in ("ANN.lamp@GMail.com", "annlamp@gmail.com", "ann.lamp+shop@gmail.com", "a.n.nlamp@googlemail.com"):
            assert await refusal(budget, EmailAddress.parse(same), next(ask)) == MINUTE
        assert await refusal(budget, EmailAddress.parse("ann.lamps@gmail.com"), next(ask)) is None

    @pytest.mark.proves("KER-264")
    async def test_who_is_impatient_doesnt_use_up_the_budget_of_the_day(self, budget):
        assert await refusal(budget) is None
        for n in range(1, 60):
            assert await refusal(budget, now=NOW + n * timedelta(seconds=1)) is not None
        for n in range(1, 10):
            assert await refusal(budget, now=NOW + n * 3 * HOUR - (n - 1) * HOUR) is None

    @pytest.mark.proves("KER-264")
    async def test_what_a_mailbox_refuses_takes_nothing_from_the_network(self, budget):
        for n in range(40):
            await refusal(budget, now=NOW + n * timedelta(seconds=1))
        told = [
            await refusal(budget, EmailAddress.parse(f"guest{n}@lamp.example"), now=NOW + MINUTE) for n in range(20)
        ]
        assert told == [None] * 19 + [HOUR - MINUTE]

    @pytest.mark.proves("KER-264")
    async def test_what_the_day_refuses_takes_nothing_from_the_hour_or_the_network(self, budget):
        for n in range(10):
            assert await refusal(budget, now=NOW + n * 2 * HOUR) is None
        last = NOW + 23 * HOUR
        for _ in range(40):
            assert await refusal(budget, now=last) == HOUR
        assert await refusal(budget, EmailAddress.parse("guest@lamp.example"), now=last) is None
        assert await refusal(budget, now=NOW + 24 * HOUR) is None


class TestNetworks:
    @pytest.mark.proves("KER-264")
    async def test_one_network_may_ask_for_twenty_messages_an_hour(self, budget):
        told = [await refusal(budget, EmailAddress.parse(f"guest{n}@lamp.example")) for n in range(22)]
        assert told == [None] * 20 + [HOUR] * 2

    @pytest.mark.proves("KER-264")
    async def test_a_network_that_used_up_its_budget_takes_nothing_from_a_mailbox(self, budget):
        for n in range(20):
            await refusal(budget, EmailAddress.parse(f"guest{n}@lamp.example"))
        for _ in range(10):
            assert await refusal(budget) == HOUR
        assert await refusal(budget, network="203.0.113.7") is None

    @pytest.mark.proves("KER-211", "KER-264")
    async def test_requests_from_nowhere_share_one_budget(self, budget):
        told = [await refusal(budget, EmailAddress.parse(f"guest{n}@lamp.example"), "unknown") for n in range(21)]
        assert told[-1] == HOUR


TEL = PhoneNumber("0151 23456789", "+4915123456789", "DE")


class TestPhones:
    @pytest.mark.proves("KER-264")
    async def test_one_phone_gets_three_messages_an_hour_and_five_a_day_a_minute_apart(self, budget):
        ask = networks()
        assert await refusal(budget, TEL, next(ask)) is None
        assert await refusal(budget, TEL, next(ask), NOW + 40 * timedelta(seconds=1)) == 20 * timedelta(seconds=1)
        for n in (1, 2):
            assert await refusal(budget, TEL, next(ask), NOW + n * MINUTE) is None
        assert await refusal(budget, TEL, next(ask), NOW + 3 * MINUTE) == 57 * MINUTE
        for n in (2, 4):
            assert await refusal(budget, TEL, next(ask), NOW + n * HOUR) is None
        assert await refusal(budget, TEL, next(ask), NOW + 6 * HOUR) == 18 * HOUR

    @pytest.mark.proves("KER-264", "KER-206")
    async def test_all_spellings_of_a_number_share_its_budget(self, budget):
        ask = networks()
        assert await refusal(budget, TEL, next(ask)) is None
        assert await refusal(budget, PhoneNumber.parse("+4915123456789"), next(ask)) == MINUTE
        assert await refusal(budget, PhoneNumber.parse("+4915123456780"), next(ask)) is None

    @pytest.mark.proves("KER-264")
    async def test_no_message_to_a_phone_is_kept_for_anybody(self, budget):
        for n in range(3):
            assert await refusal(budget, TEL, now=NOW + n * MINUTE, by_owner=False) is None

    @pytest.mark.proves("KER-264")
    async def test_nothing_is_sent_to_countries_that_the_store_does_not_name(self, budget):
        chosen = attrs.evolve(budget, policy=SendPolicy(allowed_countries=frozenset({"DE", "AT"})))
        assert await refusal(chosen, TEL) is None
        for elsewhere in (PhoneNumber("x", "+37066666666", "LT"), PhoneNumber("x", "+883510000000000")):
            for _ in range(30):
                with pytest.raises(CountryNotServed):
                    await chosen.charge(elsewhere, HOME, NOW)
        assert await refusal(chosen, PhoneNumber("x", "+4366412345678", "AT")) is None

    @pytest.mark.proves("KER-264")
    async def test_a_store_pays_for_so_many_text_messages_a_day(self, budget):
        ask = networks()
        frugal = attrs.evolve(budget, policy=SendPolicy(sms_per_day=3), store=StoreId("main"))
        told = [await refusal(frugal, PhoneNumber.parse(f"+49151234567{n}0"), next(ask)) for n in range(5)]
        assert told == [None, None, None, 12 * HOUR, 12 * HOUR]
        assert await refusal(frugal, ANN, next(ask)) is None
        other = attrs.evolve(frugal, store=StoreId("other"))
        assert await refusal(other, PhoneNumber.parse("+4915199999999"), next(ask)) is None
        tomorrow = NOW + 12 * HOUR
        assert await refusal(frugal, PhoneNumber.parse("+4915188888888"), next(ask), tomorrow) is None

    @pytest.mark.parametrize("wrong", [{"allowed_countries": frozenset({"Germany"})}, {"sms_per_day": 0}])
    def test_a_policy_names_countries_and_sends_something(self, wrong):
        with pytest.raises(BadPolicy):
            SendPolicy(**wrong)
