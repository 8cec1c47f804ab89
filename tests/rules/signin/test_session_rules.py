"""Sessions as rules: what ends them, and who makes room."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.assurance import AuthContext, Level, Method, Proof, ProofKind, level_of
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.security import AccountSecurity, Stamp
from shopaccounts.signin import Overflow, Session, SessionPolicy, TooManySessions
from shopaccounts.signin.model import SESSION, EndReason, RealmSecurity
from shopaccounts.signin.sessions import confirmed, is_live, is_revoked, made_room, touched

NOW = datetime(2031, 1, 1, 12, tzinfo=UTC)
SECURITY = AccountSecurity(id=AccountId("ann"), realm=RealmId("main"))
HOUR, MOMENT = timedelta(hours=1), timedelta(microseconds=1)


def session(name="one", *, opened=NOW, **values):
    proof = Proof(method=Method.PASSWORD, kind=ProofKind.KNOWLEDGE, at=opened)
    return Session(
        **{
            "id": name,
            "realm": RealmId("main"),
            "account": AccountId("ann"),
            "public_id": f"public {name}",
            "digest": b"x",
            "auth": AuthContext(proofs=(proof,), level=Level.SINGLE, authenticated_at=opened),
            "created_at": opened,
            "last_seen": opened,
            "idle_until": opened + 2 * HOUR,
            "ends_at": opened + 24 * HOUR,
            "remembered": False,
            "agent": "",
            "stamps": SECURITY.stamps,
            "family": name,
            "issued_at": opened,
            **values,
        }
    )


@pytest.mark.proves("KER-222")
@pytest.mark.parametrize("stamp", Stamp)
def test_a_session_dies_with_four_of_the_five_stamps(stamp) -> None:
    moved = SECURITY.bump(stamp)
    assert is_revoked(session(), moved, None) is (stamp is not Stamp.PROVIDERS)
    assert SESSION.depends_on == frozenset(Stamp) - {Stamp.PROVIDERS}


@pytest.mark.proves("KER-222")
@given(st.lists(st.sampled_from(sorted(Stamp, key=lambda stamp: stamp.value)), max_size=6))
def test_moving_stamps_back_and_forth_revives_nothing(moves) -> None:
    moved = SECURITY
    for stamp in moves:
        moved = moved.bump(stamp)
    assert is_revoked(session(), moved, None) is bool(set(moves) - {Stamp.PROVIDERS})


@pytest.mark.proves("KER-224")
def test_a_limit_of_the_account_or_of_the_realm_ends_what_began_before_it() -> None:
    before, after = session(opened=NOW - MOMENT), session(opened=NOW)
    account = attrs.evolve(SECURITY, not_before=NOW)
    realm = RealmSecurity(id=RealmId("main"), realm=RealmId("main"), not_before=NOW, why="x")
    assert [is_revoked(one, account, None) for one in (before, after)] == [True, False]
    assert [is_revoked(one, SECURITY, realm) for one in (before, after)] == [True, False]
    renewed = attrs.evolve(before, issued_at=NOW + HOUR, generation=3)
    assert is_revoked(renewed, account, None), "a renewal is as old as its session"


@pytest.mark.proves("SIG-75")
@given(
    ages=st.lists(st.integers(0, 30), max_size=12).map(lambda ages: sorted(ages, reverse=True)),
    most=st.integers(1, 6),
)
def test_after_making_room_there_is_place_for_one_and_nobody_ends_without_need(ages, most) -> None:
    policy = SessionPolicy(max_sessions=most)
    sessions = [session(f"{number}", opened=NOW - age * HOUR) for number, age in enumerate(ages)]
    live = [one for one in sessions if is_live(one, SECURITY, None, NOW)]
    ending = {was.id: after.ended for was, after in made_room(sessions, SECURITY, None, policy, NOW)}
    staying = [one for one in sessions if one.id not in ending]
    assert len(staying) == min(len(live), most - 1)
    assert staying == live[len(live) - len(staying) :], "the newest stay"
    assert all(
        reason is (EndReason.CROWDED_OUT if one in {o.id for o in live} else EndReason.LAPSED)
        for one, reason in ending.items()
    )


@pytest.mark.proves("SIG-75")
def test_where_one_more_is_refused_nobody_ends_for_it() -> None:
    policy = SessionPolicy(max_sessions=2, overflow=Overflow.REFUSE)
    over = session("over", opened=NOW - 25 * HOUR)
    assert [was.id for was, _ in made_room([over, session()], SECURITY, None, policy, NOW)] == ["over"]
    with pytest.raises(TooManySessions):
        made_room([session("a"), session("b")], SECURITY, None, policy, NOW)


@pytest.mark.proves("SIG-72")
@given(minutes=st.lists(st.integers(1, 110), min_size=1, max_size=30))
def test_activity_never_moves_the_last_end_nor_makes_a_session_stronger(minutes) -> None:
    policy, one, now = SessionPolicy(), session(), NOW
    for passing in minutes:
        now += timedelta(minutes=passing)
        one = touched(one, policy, now) or one
    assert (one.ends_at, one.auth) == (NOW + 24 * HOUR, session().auth)
    assert one.idle_until <= one.ends_at


@pytest.mark.proves("SIG-72", "SIG-62")
@given(st.lists(st.sampled_from(list(ProofKind)), min_size=1, max_size=4))
def test_a_session_is_never_stronger_than_its_proofs(kinds) -> None:
    one, now = session(), NOW
    for kind, method in zip(
        kinds, [Method.PASSWORD, Method.EMAIL_CODE, Method.EMAIL_LINK, Method.PASSWORD], strict=False
    ):
        now += HOUR
        one = confirmed(one, Proof(method=method, kind=kind, at=now), SessionPolicy(), now)
        assert one.auth.level == level_of(one.auth.proofs)
        assert one.ends_at <= now + 24 * HOUR
        assert (one.auth.authenticated_at, one.idle_until) == (now, min(now + 2 * HOUR, one.ends_at))
    methods = [proof.method for proof in one.auth.proofs]
    assert len(methods) == len(set(methods)), "a newer proof takes the place of an older one of its kind"
