import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.answers import got, run
from shopaccounts.kernel.errors import BadPolicy, TryLater, Unavailable
from shopaccounts.kernel.limits import (
    MAX_WINDOW,
    ROUNDS,
    Admitted,
    Failures,
    Held,
    Limit,
    SendLog,
    Throttle,
    Wait,
    Window,
    admit,
    counter_key,
    take,
    wait_after,
)
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import AttemptPolicy

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
S = TypeVar("S", Failures, SendLog)
PASSWORD = AttemptPolicy().password
FIVE_AN_HOUR = Window(limit=5, per=HOUR)

steps = st.timedeltas(timedelta(0), timedelta(hours=3)) | st.sampled_from([timedelta(0), MICROSECOND, SECOND, HOUR])
waits = st.builds(
    Wait,
    free=st.integers(1, 6),
    base=st.integers(1, 90).map(lambda n: n * SECOND),
    cap=st.integers(90, 5000).map(lambda n: n * SECOND),
    forget_after=st.none() | st.integers(5000, 100_000).map(lambda n: n * SECOND),
)
windows = st.builds(
    Window,
    limit=st.integers(1, 6),
    per=st.integers(60, 5000).map(lambda n: n * SECOND),
    gap=st.integers(0, 60).map(lambda n: n * SECOND),
)


def guess_without_pause(rule: Wait, until: datetime) -> list[datetime]:
    """When an attacker who never rests gets in."""
    state, now, admitted = None, NOW, []
    while now < until:
        verdict = admit(state, rule, now)
        if isinstance(verdict, Held):
            now += verdict.retry_after
        else:
            state = verdict.state
            admitted.append(now)
    return admitted


def charged(verdict: Admitted[S] | Held) -> S:
    """The state of an attempt that was admitted."""
    assert isinstance(verdict, Admitted)
    return verdict.state


class TestWait:
    @pytest.mark.proves("KER-261")
    def test_five_passwords_may_be_tried_at_once_and_then_each_further_one_waits_twice_as_long(self):
        assert Wait(free=5, base=SECOND, cap=HOUR, forget_after=DAY) == PASSWORD
        seconds = [(at - NOW).total_seconds() for at in guess_without_pause(PASSWORD, NOW + HOUR)]
        assert seconds[:5] == [0] * 5
        assert seconds[5] == 1
        assert seconds[8] == 15
        assert seconds[11] == 127

    @pytest.mark.proves("KER-261")
    def test_who_never_rests_gets_39_tries_in_a_day_and_735_in_a_month(self):
        admitted = guess_without_pause(PASSWORD, NOW + 40 * DAY)
        assert max(sum(start <= at < start + DAY for at in admitted) for start in admitted[:60]) == 39
        assert sum(at < NOW + 30 * DAY for at in admitted) == 735

    @pytest.mark.proves("KER-261")
    @given(waits, st.integers(0, 500))
    def test_the_wait_is_nothing_then_base_then_doubles_up_to_the_cap(self, rule, count):
        if count < rule.free:
            assert wait_after(count, rule) == timedelta(0)
        else:
            seconds = min(rule.cap.total_seconds(), rule.base.total_seconds() * 2 ** (count - rule.free))
            assert wait_after(count, rule) == timedelta(seconds=seconds)

    @pytest.mark.proves("KER-261")
    def test_the_longest_wait_is_reached_and_not_overrun_however_many_attempts_there_were(self):
        assert wait_after(10**9, PASSWORD) == HOUR
        assert wait_after(5 + 12, PASSWORD) == HOUR
        assert wait_after(5 + 11, PASSWORD) == timedelta(seconds=2048)

    @pytest.mark.proves("KER-261")
    @given(waits, st.lists(steps, max_size=30))
    def test_an_attempt_is_held_until_its_wait_is_over_and_admitted_from_then_on(self, rule, steps):
        state: Failures | None = None
        now = NOW
        for step in steps:
            now += step
            verdict = admit(state, rule, now)
            if isinstance(verdict, Held):
                assert state is not None
                assert verdict == Held(state.held_until - now)
                assert isinstance(admit(state, rule, now + verdict.retry_after - MICROSECOND), Held)
                now += verdict.retry_after
                verdict = admit(state, rule, now)
            assert isinstance(verdict, Admitted)
            state = verdict.state
            assert state.held_until == now + wait_after(state.count, rule)

    @pytest.mark.proves("KER-261")
    def test_silence_makes_the_count_start_anew_and_not_a_moment_earlier(self):
        tired = Failures(40, NOW + HOUR, NOW)
        assert charged(admit(tired, PASSWORD, NOW + DAY - MICROSECOND)).count == 41
        assert charged(admit(tired, PASSWORD, NOW + DAY)) == Failures(1, NOW + DAY, NOW + DAY)

    @pytest.mark.proves("KER-261")
    def test_where_only_success_forgets_no_silence_does(self):
        rule = Wait(free=5, base=30 * SECOND, cap=HOUR, forget_after=None)
        verdict = admit(Failures(40, NOW + HOUR, NOW), rule, NOW + 1000 * DAY)
        assert charged(verdict).count == 41
        assert isinstance(verdict, Admitted)
        assert verdict.keep_until > NOW + 4000 * DAY

    @pytest.mark.proves("KER-261")
    @given(waits, st.integers(1, 50), steps)
    def test_a_counter_is_kept_for_as_long_as_it_can_matter(self, rule, count, step):
        verdict = admit(Failures(count, NOW, NOW), rule, NOW + step)
        if isinstance(verdict, Admitted):
            assert verdict.keep_until >= verdict.state.held_until
            assert rule.forget_after is None or verdict.keep_until >= NOW + step + rule.forget_after

    @pytest.mark.proves("KER-261")
    @pytest.mark.parametrize(
        "wrong",
        [
            {"free": 0}, {"base": timedelta(0)}, {"base": -SECOND}, {"base": 2 * HOUR},
            {"cap": timedelta(0)}, {"forget_after": timedelta(0)}, {"forget_after": HOUR - SECOND},
        ],
        ids=str,
    )  # fmt: skip
    def test_a_wait_that_locks_or_forgets_too_soon_is_refused_at_start_up(self, wrong):
        with pytest.raises(BadPolicy):
            Wait(**{"free": 5, "base": SECOND, "cap": HOUR, "forget_after": DAY} | wrong)


class WaitMachine(RuleBasedStateMachine):
    """Attempts at one counter while the clock steps both ways: what was promised once is never shortened."""

    def __init__(self):
        super().__init__()
        self.rule = Wait(free=3, base=SECOND, cap=5 * MINUTE, forget_after=HOUR)
        self.state = None
        self.now = NOW

    @rule(step=st.timedeltas(-2 * HOUR, 2 * HOUR) | st.sampled_from([-SECOND, timedelta(0), SECOND, HOUR, 10 * DAY]))
    def the_clock_steps(self, step):
        self.now += step

    @rule()
    def somebody_tries(self):
        before, verdict = self.state, admit(self.state, self.rule, self.now)
        if isinstance(verdict, Held):
            assert before is not None
            assert verdict.retry_after == before.held_until - self.now > timedelta(0)
            return
        self.state = verdict.state
        if before is not None:
            assert verdict.state.held_until >= before.held_until
            assert verdict.state.last_at >= before.last_at
            forgotten = self.now - before.last_at >= self.rule.forget_after
            assert verdict.state.count == (1 if forgotten else before.count + 1)
        assert verdict.state.held_until - self.now == wait_after(verdict.state.count, self.rule)

    @rule(times=st.integers(2, 12))
    def somebody_tries_at_once(self, times):
        before = self.state
        fresh = before is None or self.now - before.last_at >= self.rule.forget_after
        admitted = 0
        for _ in range(times):
            verdict = admit(self.state, self.rule, self.now)
            if isinstance(verdict, Admitted):
                self.state = verdict.state
                admitted += 1
        assert admitted <= self.rule.free
        assert not fresh or admitted == min(times, self.rule.free)

    @invariant()
    def it_survives_being_kept(self):
        if self.state is not None:
            assert Failures.load(self.state.dump()) == self.state


@pytest.mark.proves("KER-192", "KER-261")
def test_waits_are_never_shortened_however_the_clock_steps():
    steps = settings(max_examples=60, stateful_step_count=25)
    run_state_machine_as_test(WaitMachine, settings=steps)


class TestWindow:
    @pytest.mark.proves("KER-260")
    def test_so_many_fit_into_any_stretch_of_time_and_one_more_as_soon_as_the_first_has_left_it(self):
        state = None
        for minute in range(5):
            state = charged(take(state, FIVE_AN_HOUR, NOW + minute * MINUTE))
        assert take(state, FIVE_AN_HOUR, NOW + 30 * MINUTE) == Held(30 * MINUTE)
        assert take(state, FIVE_AN_HOUR, NOW + HOUR - MICROSECOND) == Held(MICROSECOND)
        sixth = charged(take(state, FIVE_AN_HOUR, NOW + HOUR))
        assert take(sixth, FIVE_AN_HOUR, NOW + HOUR) == Held(MINUTE)

    @pytest.mark.proves("KER-260")
    @given(windows, st.lists(steps, max_size=40))
    def test_no_stretch_ever_holds_more_than_the_limit_and_no_gap_is_shorter(self, window, steps):
        state, now, sent = None, NOW, []
        for step in steps:
            now += step
            verdict = take(state, window, now)
            if isinstance(verdict, Admitted):
                state = verdict.state
                sent.append(now)
        for start in sent:
            assert sum(start <= at < start + window.per for at in sent) <= window.limit
        assert all(b - a >= window.gap for a, b in pairwise(sent))

    @pytest.mark.proves("KER-260")
    @given(windows, st.lists(steps, max_size=20))
    def test_the_wait_that_is_told_is_exactly_long_enough(self, window, steps):
        state, now = None, NOW
        for step in steps:
            now += step
            verdict = take(state, window, now)
            if isinstance(verdict, Held):
                assert isinstance(take(state, window, now + verdict.retry_after - MICROSECOND), Held)
                now += verdict.retry_after
                verdict = take(state, window, now)
            assert isinstance(verdict, Admitted)
            state = verdict.state

    @pytest.mark.proves("KER-192")
    @given(windows, st.lists(st.timedeltas(-2 * HOUR, 2 * HOUR), max_size=30))
    def test_what_was_sent_stays_counted_when_the_clock_steps_back(self, window, steps):
        state: SendLog | None = None
        sent: list[datetime] = []
        now = NOW
        for step in steps:
            now += step
            still = [at for at in sent if now - at < window.per]
            verdict = take(state, window, now)
            assert isinstance(verdict, Held) or len(still) < window.limit
            if isinstance(verdict, Admitted):
                assert not window.gap or all(now - at >= window.gap for at in still)
                state = verdict.state
                sent = [*still, now]

    @pytest.mark.proves("KER-260")
    def test_where_no_gap_is_asked_for_two_hosts_whose_clocks_differ_dont_hold_each_other(self):
        ahead = charged(take(None, FIVE_AN_HOUR, NOW + 2 * SECOND))
        assert isinstance(take(ahead, FIVE_AN_HOUR, NOW), Admitted)

    @pytest.mark.proves("KER-192")
    def test_the_wait_counts_from_the_earliest_whichever_host_counted_first(self):
        two = Window(limit=2, per=HOUR)
        behind = charged(take(charged(take(None, two, NOW + 2 * SECOND)), two, NOW))
        assert take(behind, two, NOW + MINUTE) == Held(59 * MINUTE)
        assert isinstance(take(behind, two, NOW + HOUR), Admitted)

    @pytest.mark.proves("KER-260")
    def test_a_window_that_was_made_smaller_holds_at_once(self):
        state = SendLog(tuple(NOW + n * MINUTE for n in range(5)))
        smaller = Window(limit=2, per=HOUR)
        assert take(state, smaller, NOW + 10 * MINUTE) == Held(53 * MINUTE)
        assert isinstance(take(state, smaller, NOW + 63 * MINUTE), Admitted)

    @pytest.mark.proves("KER-260")
    @pytest.mark.parametrize(
        "wrong",
        [{"limit": 0}, {"limit": MAX_WINDOW + 1}, {"per": timedelta(0), "gap": SECOND}, {"gap": -SECOND}],
        ids=str,
    )
    def test_a_window_that_holds_nothing_or_more_than_a_counter_can_keep_is_refused_at_start_up(self, wrong):
        with pytest.raises(BadPolicy):
            Window(**{"limit": 5, "per": HOUR} | wrong)

    @pytest.mark.proves("KER-151")
    def test_the_largest_state_fits_into_a_counter_and_comes_back(self):
        log = SendLog(tuple(NOW + n * MICROSECOND for n in range(MAX_WINDOW)))
        assert len(log.dump()) <= 256
        assert SendLog.load(log.dump()) == log
        assert SendLog.load(SendLog(()).dump()) == SendLog(())


def counters():
    return MemoryStorage().counters(Scope.single())


class LosingCounters:
    """Counters that somebody else is always faster at."""

    volatile = True

    def __init__(self):
        self.reads = 0

    def read(self, *_: Any) -> Any:
        self.reads += 1
        return {}

    def swap(self, *_: Any) -> Any:
        return frozenset()

    clear = add = swap


class OvertakenCounters:
    """Counters where somebody else, once, is faster at some keys."""

    volatile = True

    def __init__(self, counters, *overtaken):
        self.counters, self.overtaken = counters, overtaken
        self.read, self.clear, self.add = counters.read, counters.clear, counters.add

    def swap(self, *swaps):
        mine = {swap.key: swap for swap in swaps}
        self.counters.swap(*(mine[key] for key in self.overtaken))
        self.overtaken = ()
        return self.counters.swap(*swaps)


class BrokenCounters:
    """Counters that don't answer, or answer nonsense."""

    volatile = True

    def __init__(self, failure):
        self.failure = failure

    def read(self, *_: Any, **__: Any) -> Any:
        raise self.failure

    swap = clear = add = read


def password(key="k"):
    return Limit(key, PASSWORD)


class TestThrottle:
    @pytest.mark.proves("KER-260")
    def test_of_any_number_of_attempts_at_once_exactly_the_free_ones_are_admitted(self):
        throttle = Throttle(counters())
        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(lambda _: run(throttle.charge(password(), now=NOW)), range(40)))
        held = [answer for answer in told if isinstance(answer, Held)]
        assert sorted(answer for answer in told if not isinstance(answer, Held)) == [(n,) for n in range(1, 6)]
        assert set(held) == {Held(SECOND)}

    @pytest.mark.proves("KER-260")
    async def test_a_held_attempt_writes_nothing(self, storage, scope):
        kept = storage.counters(scope)
        throttle = Throttle(kept)
        for n in range(5):
            assert await throttle.charge(password(), now=NOW) == (n + 1,)
        seen = await got(kept.read("k"))
        for _ in range(3):
            assert await throttle.charge(password(), now=NOW) == Held(SECOND)
            assert await throttle.charge(password("other"), now=NOW, behind=[password()]) == Held(SECOND)
            assert await throttle.charge(password("other"), password(), now=NOW) == Held(SECOND)
        assert await got(kept.read("k", "other")) == seen

    @pytest.mark.proves("KER-260")
    async def test_what_an_attempt_stands_behind_is_charged_nothing(self, storage, scope):
        throttle, behind = Throttle(storage.counters(scope)), (password("k"), Limit("w", FIVE_AN_HOUR))
        for n in range(9):
            assert await throttle.charge(password(f"fresh-{n}"), now=NOW, behind=behind) == (1,)
        assert await throttle.charge(*behind, now=NOW) == (1, 1)

    @pytest.mark.proves("KER-260")
    async def test_sendings_are_charged_first_too(self, storage, scope):
        throttle = Throttle(storage.counters(scope))
        told = [await throttle.charge(Limit("k", FIVE_AN_HOUR), now=NOW) for _ in range(7)]
        assert told == [(1,), (2,), (3,), (4,), (5,), Held(HOUR), Held(HOUR)]

    @pytest.mark.proves("KER-260")
    async def test_each_limit_tells_how_many_it_has_counted(self, storage, scope):
        throttle, sends = Throttle(storage.counters(scope)), Limit("w", FIVE_AN_HOUR)
        await throttle.charge(password(), now=NOW)
        assert await throttle.charge(sends, password(), now=NOW) == (1, 2)
        assert await throttle.charge(password(), sends, now=NOW) == (3, 2)
        assert await throttle.charge(password(), sends, now=NOW + DAY) == (1, 1)

    @pytest.mark.proves("KER-260")
    def test_who_loses_sixteen_times_in_a_row_waits_a_second(self):
        losing = LosingCounters()
        assert run(Throttle(losing).charge(password(), now=NOW)) == Held(SECOND)
        assert losing.reads == ROUNDS == 16

    @pytest.mark.proves("KER-260", "KER-154")
    def test_who_is_overtaken_at_one_counter_is_judged_anew_there_and_charged_once_elsewhere(self):
        kept = counters()
        throttle = Throttle(OvertakenCounters(kept, "b"))
        assert run(throttle.charge(password("a"), password("b"), now=NOW)) == (1, 2)
        assert run(Throttle(kept).charge(password("a"), password("b"), now=NOW)) == (2, 3)
        last = Limit("last", Window(limit=1, per=HOUR))
        throttle = Throttle(OvertakenCounters(kept, "last"))
        assert run(throttle.charge(password("a"), last, now=NOW)) == Held(HOUR)
        assert run(Throttle(kept).charge(password("a"), now=NOW)) == (4,), "never one too few"

    @pytest.mark.proves("KER-262")
    async def test_success_forgets_its_own_counter_and_no_other(self, storage, scope):
        throttle = Throttle(storage.counters(scope))
        for key in ("mine", "yours"):
            for _ in range(5):
                await throttle.charge(password(key), now=NOW)
        await throttle.forget("mine")
        await throttle.forget("nobody's")
        assert await throttle.charge(password("mine"), now=NOW) == (1,)
        assert await throttle.charge(password("yours"), now=NOW) == Held(SECOND)

    @pytest.mark.proves("KER-267")
    @pytest.mark.parametrize(
        "failure", [Unavailable("connection_lost"), ConnectionError("redis://secret@host"), KeyError("x")]
    )
    def test_who_cant_be_counted_isnt_let_in(self, failure, caplog):
        throttle = Throttle(BrokenCounters(failure))
        for attempt in (
            throttle.charge(password(), now=NOW),
            throttle.charge(Limit("k", FIVE_AN_HOUR), now=NOW),
            throttle.charge(password(), now=NOW, behind=[password("other")]),
        ):  # fmt: skip
            with pytest.raises(TryLater) as refusal:
                run(attempt)
            assert refusal.value.retry_after == SECOND
            assert refusal.value.__cause__ is failure
        assert "the counters failed" in caplog.text

    @pytest.mark.proves("KER-267")
    def test_a_success_stands_even_if_the_counters_cant_forget(self, caplog):
        run(Throttle(BrokenCounters(Unavailable("connection_lost"))).forget("k"))
        assert "could not clear" in caplog.text


class TestKeys:
    @pytest.mark.proves("KER-152")
    def test_a_counters_name_is_a_plain_word_and_sixteen_bytes_that_tell_nothing(self):
        name = counter_key(Secret(b"k" * 32), "password", "ann@lamp.example")
        assert re.fullmatch(r"password:[0-9a-f]{32}", name)

    @pytest.mark.proves("KER-152")
    def test_names_differ_by_key_word_and_value(self):
        names = {
            counter_key(Secret(key), word, *values)
            for key in (b"a", b"b")
            for word in ("password", "network")
            for values in [("x", "y"), ("x",), ("xy",), ("\ud800",)]
        }
        assert len(names) == 16
