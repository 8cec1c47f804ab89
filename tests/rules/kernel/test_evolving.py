"""Values with other values in some fields."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.evolving import but


@attrs.frozen
class Slotted:
    count: int
    name: str = ""


@attrs.frozen(slots=False)
class Copied:
    count: int
    name: str = ""


@pytest.mark.parametrize("kind", [Slotted, Copied])
@given(st.integers(), st.text(), st.integers())
def test_all_other_fields_stay_and_so_does_the_value_itself(
    kind: type[Slotted | Copied], count: int, name: str, other: int
) -> None:
    value = kind(count, name)
    assert but(value, count=other) == kind(other, name)
    assert type(but(value, count=other)) is kind
    assert value == kind(count, name)
    assert hash(but(value, count=count)) == hash(value)


@pytest.mark.parametrize("value", [Slotted(1), Copied(1)])
def test_a_field_that_is_not_there_is_refused(value: Slotted | Copied) -> None:
    with pytest.raises(TypeError, match="size"):
        but(value, size=2)
