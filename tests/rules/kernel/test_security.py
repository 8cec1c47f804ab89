import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.security import AccountSecurity, Stamp, Stamps
from shopaccounts.signin.model import SESSION

some = st.frozensets(st.sampled_from(Stamp))
counters = st.builds(Stamps, *[st.integers(0, 5)] * 5)


class TestStamps:
    @pytest.mark.proves("KER-222")
    @given(counters, some)
    def test_bumping_moves_the_named_counters_on_by_one_and_leaves_the_others(self, stamps, named):
        moved = stamps.bump(*named)
        assert {stamp: moved.of(stamp) - stamps.of(stamp) for stamp in Stamp} == {
            stamp: int(stamp in named) for stamp in Stamp
        }

    @pytest.mark.proves("KER-222")
    @given(counters, some, some)
    def test_what_was_issued_before_is_dead_exactly_when_something_it_depends_on_has_moved(
        self, stamps, named, depends_on
    ):
        assert stamps.bump(*named).moved(stamps, depends_on) is bool(named & depends_on)
        assert not stamps.moved(stamps, depends_on)

    @pytest.mark.proves("KER-222")
    def test_the_five_counters_are_those_of_the_rulebook(self):
        assert [stamp.value for stamp in Stamp] == ["account", "password", "contacts", "factors", "providers"]
        assert SESSION.depends_on == frozenset(Stamp) - {Stamp.PROVIDERS}

    @pytest.mark.proves("KER-222")
    @given(counters, some)
    def test_the_row_of_an_account_bumps_its_stamps_and_nothing_else(self, stamps, named):
        row = AccountSecurity(id=AccountId("a"), realm=RealmId("r"), stamps=stamps, ended_why="a stolen phone")
        bumped = row.bump(*named)
        assert bumped.stamps == stamps.bump(*named)
        assert bumped == attrs.evolve(row, stamps=bumped.stamps)
