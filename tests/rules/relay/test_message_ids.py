import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.writing import message_id

STORES, CAUSES = st.text("ab ", min_size=1), st.text("ab ")


@pytest.mark.proves("MSG-1")
@given(STORES, STORES, CAUSES, CAUSES)
def test_a_message_is_known_by_its_store_and_its_cause_alone(store: str, other: str, cause: str, another: str) -> None:
    same = (store, cause) == (other, another)
    assert (message_id(StoreId(store), cause) == message_id(StoreId(other), another)) is same


@pytest.mark.proves("MSG-1")
def test_two_stores_tell_of_one_cause_each_in_a_message_of_its_own() -> None:
    assert message_id(StoreId("lamps"), "order 7") != message_id(StoreId("tea"), "order 7")
