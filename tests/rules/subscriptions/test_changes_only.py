"""The ways to price a change are for changes: nothing else takes one, a stub least of all."""

from typing import Any

import pytest

from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.subscriptions.cycles import Method, StubPricing
from shopaccounts.subscriptions.policy import CyclePolicy, Preset, ProrationPolicy

FOR_CHANGES_ALONE = (Preset.DIFFERENCE, Preset.TIME_CONVERSION, Preset.RESET_FORFEIT)


@pytest.mark.proves("PRO-9")
@pytest.mark.parametrize("preset", Preset)
@pytest.mark.parametrize("stub", ["first_stub", "last_stub"])
def test_no_stub_is_priced_as_a_change_is(stub: str, preset: Any) -> None:
    with pytest.raises(BadPolicy):
        CyclePolicy(**{stub: preset})


@pytest.mark.proves("PRO-9")
@pytest.mark.parametrize("preset", Preset)
def test_no_part_of_a_period_is_measured_as_a_change_is_priced(preset: Any) -> None:
    with pytest.raises(BadPolicy):
        ProrationPolicy(method=preset)


@pytest.mark.proves("PRO-9")
def test_what_only_changes_can_do_has_no_namesake_among_stubs_and_measures() -> None:
    elsewhere = {way.name for ways in (StubPricing, Method) for way in ways}
    assert not elsewhere & {preset.name for preset in FOR_CHANGES_ALONE}
