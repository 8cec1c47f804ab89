"""Who is it? Every row of the table, for every account that may stand behind it."""

from datetime import UTC, datetime, timedelta
from itertools import product

import attrs
import pytest

from shopaccounts.customers import (
    AccountStatus,
    ContactPoint,
    ContactRole,
    Customer,
    Origin,
    Standing,
    VerificationMethod,
)
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.ids import AccountId, ContactId, RealmId
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.tickets import mint
from shopaccounts.kernel.vault import Sealed
from shopaccounts.providers.deciding import (
    AskForEmail,
    BelongsElsewhere,
    LinkAndSignIn,
    LinkedAlready,
    LinkHere,
    Open,
    Propose,
    SignInLinked,
    TellStatus,
    decide_identity,
    decide_linking,
)
from shopaccounts.providers.errors import FlowUsed
from shopaccounts.providers.flows import advanced
from shopaccounts.providers.id_tokens import VerifiedIdentity
from shopaccounts.providers.model import FLOW_STEPS, PROVIDER_STATE, FlowState, FlowTrigger, Intent, ProviderFlow
from shopaccounts.providers.policy import AutoLink, ProviderConfig, TrustsEmail
from shopaccounts.testing.doubles import ScriptedEntropy

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
FRIDA = EmailAddress.parse("frida@lampenhaus.example")
CONFIG = ProviderConfig(
    id="lampen",
    issuer="https://id.example",
    client_id="c",
    redirect_uri="https://shop.example/b",
    keys="https://id.example/k",
    trusts_email=TrustsEmail.WHEN_VERIFIED,
)
CONFIGS = [attrs.evolve(CONFIG, auto_link=auto) for auto in AutoLink]


def who(email: EmailAddress | None = FRIDA, *, proven: bool = True) -> VerifiedIdentity:
    return VerifiedIdentity(
        provider="lampen", issuer="https://id.example", subject="1", email=email, is_email_verified=proven
    )


def customer(status: AccountStatus, *, verified: bool = True, email: EmailAddress = FRIDA) -> Customer:
    contact = ContactPoint(
        id=ContactId("c1"),
        kind=ContactKind.EMAIL,
        value=email,
        roles=frozenset({ContactRole.LOGIN}) if verified or status is AccountStatus.PENDING else frozenset(),
        added_at=NOW,
    )
    return Customer(
        id=AccountId("a"),
        realm=RealmId("main"),
        standing=Standing(status=status),
        contacts=(contact.proven(VerificationMethod.CODE, "x", NOW) if verified else contact,),
        created_at=NOW,
        origin=Origin.REGISTRATION,
    )


LIVING = [AccountStatus.ACTIVE, AccountStatus.SUSPENDED, AccountStatus.CLOSING]


@pytest.mark.proves("PVD-30")
@pytest.mark.parametrize("status", LIVING)
@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("proven", [True, False])
def test_who_is_linked_signs_in_whatever_the_address_says(status, config, proven):
    linked = customer(status)
    other = EmailAddress.parse("other@a.example")
    assert decide_identity(who(proven=proven), linked, None, config) == SignInLinked(email_differs=False)
    assert decide_identity(who(None), linked, None, config) == SignInLinked(email_differs=False)
    assert decide_identity(who(other, proven=proven), linked, customer(AccountStatus.ACTIVE), config) == SignInLinked(
        email_differs=proven
    )


@pytest.mark.proves("PVD-30")
@pytest.mark.parametrize("config", CONFIGS)
def test_without_a_proven_address_nobody_is_looked_for(config):
    owners = [None, *(customer(status) for status in LIVING)]
    for identity, owner in product([who(None), who(proven=False)], owners):
        assert decide_identity(identity, None, owner, config) == AskForEmail()


@pytest.mark.proves("PVD-30")
@pytest.mark.parametrize("config", CONFIGS)
def test_an_address_that_is_nobodys_opens_an_account(config):
    assert decide_identity(who(), None, None, config) == Open(FRIDA, None)


@pytest.mark.proves("PVD-30", "REG-30")
@pytest.mark.parametrize("config", CONFIGS)
def test_an_account_that_nobody_has_proven_is_emptied_first(config):
    waiting = customer(AccountStatus.PENDING, verified=False)
    assert decide_identity(who(), None, waiting, config) == Open(FRIDA, waiting)


@pytest.mark.proves("PVD-30")
def test_a_living_account_is_linked_only_where_the_shop_wants_it_and_both_have_proven_the_address():
    never, both = CONFIGS
    owner, unproven = customer(AccountStatus.ACTIVE), customer(AccountStatus.ACTIVE, verified=False)
    assert decide_identity(who(), None, owner, never) == Propose(owner, FRIDA)
    assert decide_identity(who(), None, owner, both) == LinkAndSignIn(owner, FRIDA)
    for config in CONFIGS:
        assert decide_identity(who(), None, unproven, config) == Propose(unproven, FRIDA)


@pytest.mark.proves("PVD-30")
@pytest.mark.parametrize("status", [AccountStatus.SUSPENDED, AccountStatus.CLOSING])
@pytest.mark.parametrize("config", CONFIGS)
def test_an_account_that_is_stopped_or_closing_is_told_to_be(status, config):
    owner = customer(status)
    assert decide_identity(who(), None, owner, config) == TellStatus(owner)


@pytest.mark.proves("PVD-30", "PVD-33")
def test_from_a_session_an_identity_is_linked_or_is_or_belongs_elsewhere():
    mine = AccountId("a")
    assert decide_linking(None, mine) == LinkHere()
    assert decide_linking(mine, mine) == LinkedAlready()
    assert decide_linking(AccountId("b"), mine) == BelongsElsewhere()


def flow(state: FlowState) -> ProviderFlow:
    ticket, _ = mint(
        PROVIDER_STATE,
        realm=RealmId("main"),
        subject="",
        bound="",
        stamps=Stamps(),
        life=timedelta(minutes=10),
        now=NOW,
        entropy=ScriptedEntropy(),
    )
    return ProviderFlow(
        id=ticket.id,
        realm=RealmId("main"),
        provider="lampen",
        redirect_uri="https://shop.example/b",
        intent=Intent.SIGN_IN,
        state=state,
        tickets=(ticket,),
        nonce_digest=b"n",
        verifier=Sealed(b"v" * 40),
        binding=b"b",
        started_at=NOW,
    )


@pytest.mark.proves("PVD-11", "PVD-12", "PVD-32")
@pytest.mark.parametrize(("state", "trigger"), list(product(FlowState, FlowTrigger)))
def test_a_flow_takes_each_step_once_and_in_order(state, trigger):
    before = flow(state)
    spent = attrs.evolve(before.tickets[0], spent_at=NOW)
    if (state, trigger) not in FLOW_STEPS:
        with pytest.raises(FlowUsed):
            advanced(before, trigger, spent)
        return
    after = advanced(before, trigger, spent)
    assert after.state is FLOW_STEPS[state, trigger]
    assert after.tickets == (spent,)


@pytest.mark.proves("PVD-12")
def test_what_has_ended_goes_nowhere():
    ends = {FlowState.FINISHED, FlowState.REFUSED}
    assert not [step for step in FLOW_STEPS if step[0] in ends]
    leads_on = {state for state, _ in FLOW_STEPS}
    assert leads_on | ends == set(FlowState)
