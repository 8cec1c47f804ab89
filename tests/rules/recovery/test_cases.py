"""The life of a recovery case as a table, what opens one, and what time and the account make of it."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.customers import (
    AccountStatus,
    ContactPoint,
    ContactRole,
    Customer,
    Origin,
    Standing,
    VerificationMethod,
)
from shopaccounts.kernel.assurance import AuthContext, Level, Method, Proof, ProofKind
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import AccountId, ContactId, CustomerId, RealmId
from shopaccounts.kernel.security import AccountSecurity, Stamp, Stamps
from shopaccounts.recovery import (
    CASE_STEPS,
    CASES,
    PROOF_SETS,
    CaseClosed,
    CaseKind,
    CaseNotReady,
    CasePolicy,
    CaseState,
    CaseTrigger,
    Evidence,
    EvidenceInsufficient,
    EvidenceKind,
    ProofsMissing,
    RecoveryCase,
    Shown,
)
from shopaccounts.recovery.cases import (
    Helper,
    advanced,
    as_of,
    check_completable,
    is_cooling_down,
    opened,
    takes_agent,
    told,
)
from shopaccounts.recovery.proof_sets import (
    check_evidence,
    mailbox_of,
    phone_of,
    quickest,
    recovery_addresses,
    shown_by,
)
from shopaccounts.signin import Authenticators, Factor, FactorKind, Passkey
from shopaccounts.signin.authenticators import RecoveryCodes

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
POLICY = CasePolicy()
OFFERS = (
    "factor_by_two_methods",
    "factor_by_mailbox",
    "mailbox_by_two_factors",
    "mailbox_by_recovery_address",
    "mailbox_by_phone",
    "everything_by_agents",
)
ENDS = {CaseState.COMPLETED, CaseState.CANCELLED, CaseState.EXPIRED, CaseState.BLOCKED}
SECURITY = AccountSecurity(id=AccountId("ann"), realm=RealmId("main"))
CUSTOMER = Customer(
    id=CustomerId("ann"),
    realm=RealmId("main"),
    standing=Standing(status=AccountStatus.ACTIVE),
    created_at=NOW,
    origin=Origin.REGISTRATION,
)


def request(**fields):
    known = {
        "id": "case",
        "realm": RealmId("main"),
        "account": AccountId("ann"),
        "kind": CaseKind.MAILBOX,
        "email": EmailAddress.parse("ann@new.example"),
        "since": NOW,
        "stamps": Stamps(),
        "started_at": NOW,
        "expires_at": NOW + DAY,
    }
    return RecoveryCase(**{**known, **fields})


def waiting(wait=WEEK):
    return opened(request(), frozenset({Shown.PASSWORD, Shown.RECOVERY_ADDRESS}), wait, POLICY, NOW)


@pytest.mark.proves("RCV-20", "RCV-24")
def test_the_table_is_the_whole_life_of_a_case() -> None:
    live = {CaseState.REQUESTED, CaseState.WAITING, CaseState.READY}
    steps = {
        (CaseState.REQUESTED, CaseTrigger.OPEN): CaseState.WAITING,
        (CaseState.WAITING, CaseTrigger.BE_READY): CaseState.READY,
        (CaseState.READY, CaseTrigger.COMPLETE): CaseState.COMPLETED,
    }
    ends = {
        CaseTrigger.CANCEL: CaseState.CANCELLED,
        CaseTrigger.EXPIRE: CaseState.EXPIRED,
        CaseTrigger.BLOCK: CaseState.BLOCKED,
    }
    assert dict(CASE_STEPS) == steps | {(state, trigger): end for state in live for trigger, end in ends.items()}
    assert {state for state, _ in CASE_STEPS} & ENDS == set()


@pytest.mark.proves("RCV-24")
@pytest.mark.parametrize(("state", "trigger"), list(product(CaseState, CaseTrigger)))
def test_every_step_leads_where_the_table_says_or_nowhere(state, trigger) -> None:
    case = request(state=state, tell_at=NOW)
    target = CASE_STEPS.get((state, trigger))
    if target is None:
        with pytest.raises(CaseClosed) as refused:
            advanced(case, trigger, NOW)
        assert refused.value.state == state.value
        return
    after = advanced(case, trigger, NOW)
    assert after.state is target
    assert (after.ended_at, after.tell_at) == ((NOW, None) if target in ENDS else (None, NOW))


@pytest.mark.proves("RCV-20")
@pytest.mark.parametrize(
    ("kind", "shown", "wait"),
    [
        (CaseKind.FACTOR, {Shown.PASSWORD, Shown.MAILBOX_CODE}, timedelta(hours=72)),
        (CaseKind.FACTOR, {Shown.PASSWORD, Shown.MAILBOX_CODE, Shown.PHONE_CODE}, timedelta(hours=24)),
        (CaseKind.MAILBOX, {Shown.TWO_FACTORS}, timedelta(hours=72)),
        (CaseKind.MAILBOX, {Shown.TWO_FACTORS, Shown.PASSWORD, Shown.RECOVERY_ADDRESS}, timedelta(hours=72)),
        (CaseKind.MAILBOX, {Shown.PASSWORD, Shown.RECOVERY_ADDRESS}, WEEK),
        (CaseKind.MAILBOX, {Shown.PASSWORD, Shown.PHONE_CODE}, WEEK),
        (CaseKind.EVERYTHING, {Shown.TWO_AGENTS}, WEEK),
    ],
)
def test_the_stronger_the_proofs_the_shorter_the_wait(kind, shown, wait) -> None:
    assert quickest(kind, shown, POLICY)[1] == wait


@pytest.mark.proves("RCV-20")
@given(st.sampled_from(CaseKind), st.frozensets(st.sampled_from(Shown)))
def test_a_case_opens_exactly_with_a_whole_proof_set_of_its_kind(kind, shown) -> None:
    whole = [one for one in PROOF_SETS if one.kind is kind and one.shown <= shown]
    if whole:
        assert quickest(kind, shown, POLICY)[0] in whole
        return
    with pytest.raises(ProofsMissing) as refused:
        quickest(kind, shown, POLICY)
    missing = {Shown(name) for name in refused.value.needed}
    assert missing
    assert quickest(kind, shown | missing, POLICY)


@pytest.mark.proves("RCV-20")
def test_what_is_not_offered_opens_nothing() -> None:
    not_offered: dict[str, Any] = dict.fromkeys(OFFERS)
    nothing = CasePolicy(**not_offered)
    for kind in CaseKind:
        with pytest.raises(ProofsMissing) as refused:
            quickest(kind, Shown, nothing)
        assert refused.value.needed == ()


def proof(method, kind, at):
    return Proof(method=method, kind=kind, at=at)


@pytest.mark.proves("RCV-20", "RCV-22")
def test_a_session_shows_what_it_proved_lately() -> None:
    password = proof(Method.PASSWORD, ProofKind.KNOWLEDGE, NOW)
    link = proof(Method.EMAIL_LINK, ProofKind.MAILBOX, NOW)
    key = Proof(method=Method.EMAIL_CODE, kind=ProofKind.POSSESSION, at=NOW)
    single = AuthContext(proofs=(password,), level=Level.SINGLE, authenticated_at=NOW)
    both = AuthContext(proofs=(password, key), level=Level.MULTI, authenticated_at=NOW)
    mailbox = AuthContext(proofs=(link,), level=Level.SINGLE, authenticated_at=NOW)
    assert shown_by(single, POLICY, NOW) == {Shown.PASSWORD}
    assert shown_by(both, POLICY, NOW) == {Shown.PASSWORD, Shown.TWO_FACTORS}
    assert shown_by(mailbox, POLICY, NOW) == set()
    assert shown_by(both, POLICY, NOW + timedelta(minutes=15)) == set()
    old_key = attrs.evolve(both, proofs=(password, attrs.evolve(key, at=NOW - HOUR)))
    assert shown_by(old_key, POLICY, NOW) == {Shown.PASSWORD}


def proven(address, at, *roles):
    point = ContactPoint(
        id=ContactId(address),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(address),
        added_at=at,
        roles=frozenset(roles),
    )
    return point.proven(VerificationMethod.CODE, "a challenge", at)


@pytest.mark.proves("RCV-31", "RCV-20")
def test_a_recovery_address_counts_once_it_was_proven_for_a_week() -> None:
    lost = proven("ann@old.example", NOW - 2 * WEEK, ContactRole.LOGIN, ContactRole.RECOVERY)
    known = proven("ann@second.example", NOW - WEEK, ContactRole.RECOVERY)
    fresh = proven("ann@third.example", NOW - WEEK + HOUR, ContactRole.RECOVERY)
    other = proven("ann@fourth.example", NOW - WEEK, ContactRole.NOTIFY)
    customer = attrs.evolve(CUSTOMER, contacts=(lost, known, fresh, other))
    assert [one.stored for one in recovery_addresses(customer, lost, POLICY, NOW)] == ["ann@second.example"]
    assert recovery_addresses(customer, lost, CasePolicy(mailbox_by_recovery_address=None), NOW) == ()


def a_phone(at, *roles, id="tel"):
    point = ContactPoint(
        id=ContactId(id),
        kind=ContactKind.PHONE,
        value=PhoneNumber.parse("+4915123456789"),
        added_at=at,
        roles=frozenset(roles),
    )
    return point.proven(VerificationMethod.CODE, "a challenge", at)


def enrolled(*contacts, **fields):
    factors = tuple(
        Factor(id=f"sms {contact}", kind=FactorKind.SMS, created_at=NOW, contact=ContactId(contact))
        for contact in contacts
    )
    known = {"id": AccountId("ann"), "realm": RealmId("main"), "factors": factors}
    return Authenticators(**{**known, **fields})


@pytest.mark.proves("RCV-20")
def test_a_code_for_a_lost_factor_is_mailed_where_one_signs_in_else_where_one_recovers() -> None:
    login = proven("ann@old.example", NOW, ContactRole.LOGIN)
    recovery = proven("ann@second.example", NOW, ContactRole.RECOVERY)
    by_phone = a_phone(NOW, ContactRole.LOGIN)
    assert mailbox_of(attrs.evolve(CUSTOMER, contacts=(recovery, login))) == login
    assert mailbox_of(attrs.evolve(CUSTOMER, contacts=(by_phone, recovery))) == recovery
    assert mailbox_of(attrs.evolve(CUSTOMER, contacts=(by_phone,))) is None


@pytest.mark.proves("RCV-20")
def test_a_phone_vouches_for_a_lost_factor_that_is_none_itself_and_was_proven_long_enough_ago() -> None:
    for role in (ContactRole.LOGIN, ContactRole.RECOVERY):
        phone = a_phone(NOW - DAY, role)
        customer = attrs.evolve(CUSTOMER, contacts=(proven("ann@old.example", NOW - DAY, ContactRole.LOGIN), phone))
        assert phone_of(customer, None, POLICY, NOW) == phone
        assert phone_of(customer, enrolled("another"), POLICY, NOW) == phone
        assert phone_of(customer, enrolled("tel"), POLICY, NOW) is None
        assert phone_of(customer, None, POLICY, NOW - timedelta(microseconds=1)) is None
        assert phone_of(customer, None, CasePolicy(factor_by_two_methods=None), NOW) is None
    told_only = attrs.evolve(CUSTOMER, contacts=(a_phone(NOW - DAY, ContactRole.NOTIFY),))
    assert phone_of(told_only, None, POLICY, NOW) is None


def factor_case(**fields):
    lost = request(kind=CaseKind.FACTOR, email=None, lost=frozenset({"app", "key"}), **fields)
    return opened(lost, frozenset({Shown.PASSWORD, Shown.MAILBOX_CODE}), 3 * DAY, POLICY, NOW)


@pytest.mark.proves("RCV-24", "RCV-26")
def test_what_is_used_again_was_not_lost() -> None:
    moment = timedelta(microseconds=1)
    app = Factor(id="app", kind=FactorKind.TOTP, created_at=NOW - WEEK, last_used_at=NOW)
    key = Passkey(id="key", credential=b"k", public_key=b"k", counter=0, created_at=NOW - WEEK, last_used_at=NOW)
    codes = RecoveryCodes(made_at=NOW, codes=(), last_used_at=NOW)
    before = enrolled(factors=(app,), passkeys=(key,), recovery_codes=codes)

    def state(own, case=None):
        return as_of(case or factor_case(), CUSTOMER, SECURITY, NOW + HOUR, own)

    assert state(before).state is CaseState.WAITING
    later = NOW + moment
    uses = (
        attrs.evolve(before, factors=(attrs.evolve(app, last_used_at=later),)),
        attrs.evolve(before, passkeys=(attrs.evolve(key, last_used_at=later),)),
        attrs.evolve(before, recovery_codes=attrs.evolve(codes, last_used_at=later)),
    )
    for own in uses:
        assert (state(own).state, state(own).ended_at) == (CaseState.CANCELLED, later)
        assert state(own, waiting()).state is CaseState.WAITING, "it is none of a lost factor"
    other = attrs.evolve(before, passkeys=(attrs.evolve(key, id="another", last_used_at=later),))
    assert state(other).state is CaseState.WAITING


@pytest.mark.proves("RCV-20")
def test_where_no_time_has_to_pass_a_case_is_ready_at_once() -> None:
    lost = request(kind=CaseKind.FACTOR, email=None)
    case = opened(lost, frozenset({Shown.PASSWORD}), timedelta(0), POLICY, NOW)
    assert (case.state, case.earliest_at, case.expires_at) == (CaseState.READY, NOW, NOW + WEEK)
    check_completable(case)


@pytest.mark.proves("RCV-20", "RCV-28")
def test_an_agent_is_wanted_where_the_mailbox_alone_vouches_and_the_shop_says_so() -> None:
    strict, agent = CasePolicy(factor_by_mailbox_takes_agent=True), Helper("eve", "called us", NOW)
    assert takes_agent(factor_case(), strict)
    assert not takes_agent(factor_case(), POLICY)
    assert not takes_agent(attrs.evolve(factor_case(), helpers=(agent,)), strict)
    assert not takes_agent(attrs.evolve(factor_case(), proofs=(Shown.PHONE_CODE,)), strict)
    assert not takes_agent(waiting(), strict)


@pytest.mark.proves("RCV-28")
def test_evidence_counts_by_kinds_that_were_right() -> None:
    right = [Evidence(kind, True) for kind in EvidenceKind]
    assert check_evidence(right[:2], POLICY) == tuple(right[:2])
    assert check_evidence(right[:1], CasePolicy(least_evidence=1)) == (right[0],)
    for too_little in ([], right[:1], [right[0], right[0]], [right[0], attrs.evolve(right[1], right=False)]):
        with pytest.raises(EvidenceInsufficient):
            check_evidence(too_little, POLICY)


@pytest.mark.proves("RCV-26", "RCV-20")
@given(
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)),
    st.sampled_from([None, *Stamp]),
    st.sampled_from(AccountStatus),
    st.booleans(),
)
def test_time_and_account_alone_decide_what_a_case_is(later, moved, status, swept) -> None:
    case, now = waiting(), NOW + later
    if swept and case.earliest_at <= now < case.expires_at:
        case = advanced(case, CaseTrigger.BE_READY, now)
    security = SECURITY.bump(moved) if moved else SECURITY
    customer = attrs.evolve(CUSTOMER, standing=Standing(status=status))
    state = as_of(case, customer, security, now).state
    if status is not AccountStatus.ACTIVE or moved in set(Stamp) - {Stamp.PROVIDERS}:
        assert state is CaseState.BLOCKED
    elif now >= case.expires_at:
        assert state is CaseState.EXPIRED
    else:
        assert state is (CaseState.READY if later >= WEEK else CaseState.WAITING)


@pytest.mark.proves("RCV-26", "RCV-24")
@pytest.mark.parametrize("state", [state for state in CaseState if state in ENDS])
def test_what_is_over_stays_over(state) -> None:
    over = request(state=state)
    assert as_of(over, None, None, NOW + 9 * WEEK) == over
    assert as_of(request(), None, None, NOW).state is CaseState.BLOCKED
    assert as_of(request(), CUSTOMER, SECURITY, NOW + DAY).state is CaseState.EXPIRED


@pytest.mark.proves("RCV-20")
def test_a_case_is_completed_only_while_it_is_ready() -> None:
    case = waiting()
    with pytest.raises(CaseNotReady) as early:
        check_completable(case)
    assert early.value.earliest_at == NOW + WEEK
    check_completable(as_of(case, CUSTOMER, SECURITY, NOW + WEEK))
    for state in (CaseState.REQUESTED, *ENDS):
        with pytest.raises(CaseClosed):
            check_completable(attrs.evolve(case, state=state))


@pytest.mark.proves("RCV-20", "RCV-26")
def test_everybody_is_told_every_day_and_when_it_is_ready() -> None:
    case = waiting(timedelta(hours=60))
    assert case.tell_at == NOW + DAY
    assert told(case, POLICY, NOW + 2 * DAY).tell_at == case.earliest_at
    ready = advanced(case, CaseTrigger.BE_READY, NOW)
    assert told(ready, POLICY, case.expires_at - HOUR).tell_at == case.expires_at
    due: Any = CASES.due
    assert due(case) == case.tell_at
    assert due(request(tell_at=NOW)) is None


@pytest.mark.proves("RCV-24")
def test_a_day_of_peace_follows_a_cancel() -> None:
    cancelled = advanced(waiting(), CaseTrigger.CANCEL, NOW)
    assert is_cooling_down(cancelled, POLICY, NOW + DAY - HOUR)
    assert not is_cooling_down(cancelled, POLICY, NOW + DAY)
    assert not is_cooling_down(None, POLICY, NOW)


@pytest.mark.proves("RCV-24")
def test_an_account_has_one_place_for_each_kind() -> None:
    keys = {kind: CASES.keys(attrs.evolve(waiting(), kind=kind)) for kind in CaseKind}
    assert len(frozenset().union(*keys.values())) == len(CaseKind)
    for state in (CaseState.REQUESTED, *ENDS):
        assert CASES.keys(request(state=state)) == frozenset()


@pytest.mark.parametrize(
    "wrong",
    [
        {"factor_by_mailbox": timedelta(hours=23)},
        {"factor_by_two_methods": timedelta(-1)},
        {"mailbox_by_two_factors": timedelta(hours=23)},
        {"mailbox_by_recovery_address": timedelta(hours=1)},
        {"mailbox_by_phone": timedelta(hours=1)},
        {"everything_by_agents": timedelta(0)},
        {"link_life": timedelta(hours=25)},
        {"link_life": timedelta(minutes=90)},
        {"tell_every": timedelta(days=2)},
        {"ready_for": timedelta(hours=1)},
        {"reopen_after": timedelta(hours=1)},
        {"hold_after": timedelta(-1)},
        {"least_evidence": 0},
        {"proofs_within": timedelta(0)},
    ],
)
@pytest.mark.proves("RCV-20")
def test_a_policy_that_protects_nobody_is_refused(wrong) -> None:
    with pytest.raises(BadPolicy):
        CasePolicy(**wrong)
