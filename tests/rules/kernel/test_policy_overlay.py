from collections.abc import Callable
from datetime import timedelta
from enum import Enum

import attrs
import pytest

from shopaccounts.kernel.codes import CodeShape
from shopaccounts.kernel.errors import BadPolicy, Defect
from shopaccounts.kernel.limits import Window
from shopaccounts.kernel.policy import overlay, require
from shopaccounts.registration import RegistrationPolicy
from shopaccounts.signin import SessionPolicy

HOUR = timedelta(hours=1)
MICROS = 1_000_000


class Mood(Enum):
    GENTLE = "gentle"
    STRICT = "strict"


@attrs.frozen(kw_only=True)
class ToyPolicy:
    """A field of every kind that a policy may have."""

    name: str = "toy"
    limit: int = 5
    on: bool = True
    life: timedelta = HOUR
    grace: timedelta | None = None
    mood: Mood = Mood.GENTLE
    words: tuple[str, ...] = ("lamp",)
    kinds: frozenset[Mood] = frozenset()
    rules: tuple[Callable[[], bool], ...] = ()
    window: Window = Window(limit=5, per=HOUR)

    def __attrs_post_init__(self):
        require(self.limit < 100, "a toy has a limit below 100")


class TestReading:
    def test_what_is_not_named_stays_as_it_was(self):
        assert overlay(ToyPolicy(), {}) == ToyPolicy()
        assert overlay(ToyPolicy(limit=7), {"name": "x"}) == ToyPolicy(limit=7, name="x")

    def test_fields_are_read_from_what_a_settings_file_holds(self):
        read = overlay(
            ToyPolicy(),
            {
                "limit": 9, "on": False, "life": 60 * MICROS, "grace": 5 * MICROS, "mood": "strict",
                "words": ["a", "b"], "kinds": ["gentle", "strict"],
            },
        )  # fmt: skip
        assert read == ToyPolicy(
            limit=9, on=False, life=timedelta(minutes=1), grace=timedelta(seconds=5), mood=Mood.STRICT,
            words=("a", "b"), kinds=frozenset(Mood),
        )  # fmt: skip

    def test_a_time_span_may_stand_as_it_is(self):
        assert overlay(ToyPolicy(), {"life": 2 * HOUR}).life == 2 * HOUR

    def test_nothing_may_be_put_where_nothing_is_allowed(self):
        assert overlay(ToyPolicy(grace=HOUR), {"grace": None}).grace is None

    def test_a_policy_within_a_policy_is_overlaid_in_turn(self):
        assert overlay(ToyPolicy(), {"window": {"limit": 7}}).window == Window(limit=7, per=HOUR)
        read = overlay(RegistrationPolicy(), {"code_shape": {"digits": 8}, "attempts_per_network": {"limit": 5}})
        assert read.code_shape == CodeShape(digits=8)
        assert read.attempts_per_network == Window(limit=5, per=HOUR)


class TestRefusals:
    @pytest.mark.parametrize(
        "overrides",
        [{"limits": 5}, {"limit": 5, "lmit": 6}, {"window": {"limits": 5}}, {5: 5}, {"__class__": "x"}],
        ids=str,
    )
    def test_an_unknown_name_is_refused_and_named(self, overrides):
        with pytest.raises(BadPolicy, match=r"has no (limits|lmit|5|__class__)"):
            overlay(ToyPolicy(), overrides)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("limit", "5"), ("limit", 5.0), ("limit", 1.9), ("limit", True), ("limit", None),
            ("on", 1), ("on", "yes"), ("name", 5), ("name", None),
            ("life", "1h"), ("life", 1.5), ("life", None), ("grace", "1h"), ("mood", "angry"), ("mood", 1),
            ("words", "lamp"), ("words", [1]), ("words", None), ("kinds", "gentle"), ("rules", ["eval"]),
            ("window", 5), ("window", None), ("window", [5]),
        ],
        ids=str,
    )  # fmt: skip
    def test_a_value_of_the_wrong_type_is_refused_and_its_field_named(self, field, value):
        with pytest.raises(BadPolicy, match=rf"ToyPolicy.{field} can't be read"):
            overlay(ToyPolicy(), {field: value})

    def test_the_refusal_names_the_field_of_the_policy_within(self):
        with pytest.raises(BadPolicy, match=r"Window.limit can't be read"):
            overlay(ToyPolicy(), {"window": {"limit": "five"}})

    def test_values_that_contradict_a_rule_are_refused_as_at_any_start_up(self):
        with pytest.raises(BadPolicy, match="limit below 100"):
            overlay(ToyPolicy(), {"limit": 100})
        with pytest.raises(BadPolicy, match="at most 10 minutes"):
            overlay(RegistrationPolicy(), {"code_life": 11 * 60 * MICROS})
        with pytest.raises(BadPolicy, match="1 to 30"):
            overlay(ToyPolicy(), {"window": {"limit": 31}})
        with pytest.raises(BadPolicy):
            overlay(SessionPolicy(), {"idle": timedelta(days=2)})

    def test_a_bad_policy_is_for_a_programmer_to_mend(self):
        assert issubclass(BadPolicy, Defect)
