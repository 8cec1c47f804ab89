"""Writing a message."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import BadPolicy, Defect, InvalidInput
from shopaccounts.kernel.messages import MessageCategory
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Ring
from shopaccounts.kernel.writing import MessagePolicy, read_sealed, seal_context
from shopaccounts.testing.leaks import assert_no_leak

if TYPE_CHECKING:
    from tests.usecases.relay.conftest import Office


@pytest.mark.proves("MSG-1", "MSG-2", "REL-107", "KER-160")
async def test_address_and_secrets_are_sealed_for_this_message_and_the_rest_lies_open(office: "Office") -> None:
    written = await office.write(secrets={"code": Secret("482913-482913")}, deliver=False)
    assert_no_leak({"address": "anna@lampenhaus.example", "code": "482913-482913"}, [("row", repr(written))])
    assert written.sealed is not None
    place = seal_context(written.id, written.realm)
    assert (place.ring, place.id, place.field) == (Ring.OUTBOX, written.id, "sealed")
    to, secrets = read_sealed(await got(office.vault.open(written.sealed, place)))
    assert (to.reveal(), secrets) == ("anna@lampenhaus.example", {"code": "482913-482913"})
    assert (written.variables, written.deliver, written.store) == ({"shop": "Lampenhaus"}, False, office.scope.store)
    assert written.created_at == written.due_at == office.clock.now()


@pytest.mark.proves("MSG-17", "MSG-19")
@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"to": "anna@lampenhaus.example\r\nBcc: all@lampenhaus.example"}, InvalidInput),
        ({"to": "a" * 321}, InvalidInput),
        ({"to": None}, InvalidInput),
        ({"locale": "de\n"}, InvalidInput),
        ({"locale": "../../etc"}, InvalidInput),
        ({"variables": {"minutes": 30}}, InvalidInput),
        ({"template": "reset"}, Defect),
        ({"template": "../recovery.reset"}, Defect),
        ({"variables": {"link": "x"}}, Defect),
    ],
)
async def test_what_no_message_can_hold_is_refused_before_it_is_recorded(
    office: "Office", wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await office.write(**wrong)
    assert (await office.relay().deliver_pending()).handled == 0


@pytest.mark.proves("MSG-17")
async def test_a_message_lives_as_long_as_its_secret_or_as_its_category_allows(office: "Office") -> None:
    now, policy = office.clock.now(), MessagePolicy()
    assert policy.expires_at(MessageCategory.SECURITY, now) == now + timedelta(hours=1)
    assert policy.expires_at(MessageCategory.TRANSACTIONAL, now) == now + timedelta(days=3)
    assert policy.expires_at(MessageCategory.LEGAL, now) == now + timedelta(days=3)
    assert policy.expires_at(MessageCategory.MARKETING, now) == now + timedelta(days=1)
    assert policy.expires_at(MessageCategory.SECURITY, now, now + timedelta(minutes=9)) == now + timedelta(minutes=9)
    with pytest.raises(BadPolicy):
        MessagePolicy(security=timedelta(0))


@pytest.mark.parametrize("noise", [b"", b"{}", b"[]", b'{"to":1}', b"\xff", b'{"to":"a","secrets":3}'])
def test_a_sealed_part_that_compose_never_wrote_is_a_defect(noise: bytes) -> None:
    with pytest.raises(Defect):
        read_sealed(Secret(noise))
