from datetime import UTC, datetime, timedelta
from itertools import chain, combinations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.assurance import (
    KIND_OF,
    AuthContext,
    Level,
    Method,
    Proof,
    ProofKind,
    Requirement,
    level_of,
    require_level,
)
from shopaccounts.kernel.errors import Defect, FreshSignInNeeded

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
K, P, M, F = ProofKind.KNOWLEDGE, ProofKind.POSSESSION, ProofKind.MAILBOX, ProofKind.FEDERATED
proofs = st.builds(
    Proof,
    method=st.sampled_from(Method),
    kind=st.sampled_from(ProofKind),
    at=st.integers(0, 600).map(lambda n: NOW - n * MINUTE),
    user_verified=st.booleans(),
    strong=st.none() | st.sampled_from(Level),
)


def proof(kind: ProofKind, at: datetime = NOW, **facts) -> Proof:
    return Proof(method=Method.PASSWORD, kind=kind, at=at, **facts)


def subsets(things):
    things = list(things)
    return chain.from_iterable(combinations(things, n) for n in range(len(things) + 1))


class TestLevels:
    @pytest.mark.proves("KER-270")
    @pytest.mark.parametrize(
        "methods", list(subsets(Method)), ids=lambda methods: "+".join(m.value for m in methods) or "none"
    )
    def test_every_combination_of_methods_has_the_level_of_the_table(self, methods):
        knows = {Method.PASSWORD, Method.SECURITY_ANSWERS} & {*methods}
        has = {Method.TOTP, Method.SMS_CODE, Method.RECOVERY_CODE, Method.PASSKEY} & {*methods}
        expected = Level.MULTI if knows and has else Level.SINGLE if methods else Level.NONE
        assert level_of(Proof(method=method, kind=KIND_OF[method], at=NOW) for method in methods) is expected

    @pytest.mark.proves("KER-270")
    def test_a_passkey_that_verified_its_user_is_multi_and_a_provider_only_as_far_as_it_vouches(self):
        passkey = Proof(method=Method.PASSKEY, kind=P, at=NOW, user_verified=True)
        provider = Proof(method=Method.PROVIDER, kind=F, at=NOW)
        totp = Proof(method=Method.TOTP, kind=P, at=NOW)
        assert level_of([passkey]) is Level.MULTI
        assert level_of([provider, totp]) is Level.SINGLE
        assert level_of([attrs.evolve(provider, kind=K), totp]) is Level.MULTI
        assert level_of([attrs.evolve(provider, strong=Level.MULTI)]) is Level.MULTI

    def test_the_table_of_methods_is_complete(self):
        assert KIND_OF.keys() == set(Method)

    @pytest.mark.proves("KER-270")
    @pytest.mark.parametrize(
        "kinds", [kinds for kinds in subsets(ProofKind) if kinds], ids=lambda kinds: "+".join(k.value for k in kinds)
    )
    def test_two_kinds_out_of_knowing_having_and_being_are_multi_and_nothing_else_is(self, kinds):
        two_factors = len({*kinds} & {K, P, ProofKind.INHERENCE}) >= 2
        assert level_of(map(proof, kinds)) is (Level.MULTI if two_factors else Level.SINGLE)

    @pytest.mark.proves("KER-270")
    @pytest.mark.parametrize("kind", ProofKind)
    @pytest.mark.parametrize("times", [1, 2, 5])
    def test_the_same_kind_again_adds_nothing(self, kind, times):
        assert level_of([proof(kind, NOW - n * MINUTE) for n in range(times)]) is Level.SINGLE

    @pytest.mark.proves("KER-270")
    @pytest.mark.parametrize("kind", ProofKind)
    def test_a_key_that_checked_its_user_is_multi_alone_and_nothing_else_is_by_saying_so(self, kind):
        assert level_of([proof(kind, user_verified=True)]) is (Level.MULTI if kind is P else Level.SINGLE)

    @pytest.mark.proves("KER-270")
    @pytest.mark.parametrize("kind", ProofKind)
    @pytest.mark.parametrize("strong", [None, *Level])
    def test_a_provider_counts_as_multi_only_where_the_shop_maps_its_word_to_that(self, kind, strong):
        is_multi = kind is F and strong is Level.MULTI
        assert level_of([proof(kind, strong=strong)]) is (Level.MULTI if is_multi else Level.SINGLE)

    @pytest.mark.proves("KER-270")
    @given(st.lists(proofs, max_size=5))
    def test_a_mailbox_never_changes_what_the_other_proofs_add_up_to(self, given_proofs):
        others = [p for p in given_proofs if p.kind is not M]
        expected = max(level_of(others), Level.SINGLE) if given_proofs else Level.NONE
        assert level_of(given_proofs) is expected

    @pytest.mark.proves("KER-270")
    @given(st.lists(proofs, max_size=5), proofs)
    def test_one_more_proof_never_lowers_the_level(self, given_proofs, more):
        assert level_of([*given_proofs, more]) >= level_of(given_proofs)


class TestSessions:
    @pytest.mark.proves("KER-271")
    @given(st.lists(proofs, max_size=4).map(tuple), st.sampled_from(Level))
    def test_a_session_never_stands_higher_than_its_proofs(self, given_proofs, level):
        if level > level_of(given_proofs):
            with pytest.raises(Defect):
                AuthContext(proofs=given_proofs, level=level, authenticated_at=NOW)
        else:
            assert AuthContext(proofs=given_proofs, level=level, authenticated_at=NOW).level is level


def session(*given_proofs: Proof) -> AuthContext:
    return AuthContext(proofs=given_proofs, level=level_of(given_proofs), authenticated_at=NOW)


class TestRequirements:
    @pytest.mark.proves("KER-272")
    @pytest.mark.parametrize("need", Level)
    @pytest.mark.parametrize("can_reach", Level)
    @pytest.mark.parametrize("given_proofs", [(proof(K),), (proof(K), proof(P))], ids=["single", "multi"])
    def test_what_is_asked_is_the_lower_of_what_is_needed_and_what_the_account_can_reach(
        self, need, can_reach, given_proofs
    ):
        auth, asked = session(*given_proofs), min(need, can_reach)
        if auth.level >= asked:
            require_level(auth, Requirement(level=need, max_age=MINUTE), can_reach, NOW)
        else:
            with pytest.raises(FreshSignInNeeded) as refusal:
                require_level(auth, Requirement(level=need, max_age=MINUTE), can_reach, NOW)
            assert (refusal.value.level, refusal.value.max_age) == (int(asked), MINUTE)

    @pytest.mark.proves("KER-272")
    def test_a_proof_is_fresh_until_just_before_its_greatest_age(self):
        need = Requirement(level=Level.SINGLE, max_age=15 * MINUTE)
        auth = session(proof(K))
        require_level(auth, need, Level.SINGLE, NOW + 15 * MINUTE - timedelta(microseconds=1))
        with pytest.raises(FreshSignInNeeded):
            require_level(auth, need, Level.SINGLE, NOW + 15 * MINUTE)

    @pytest.mark.proves("KER-272")
    def test_the_age_is_that_of_the_newest_proof(self):
        need = Requirement(level=Level.SINGLE, max_age=15 * MINUTE)
        require_level(session(proof(K, NOW - 60 * MINUTE), proof(M, NOW - MINUTE)), need, Level.SINGLE, NOW)

    @pytest.mark.proves("KER-272", "KER-270")
    def test_a_fresh_look_into_the_mailbox_doesnt_refresh_two_old_factors(self):
        need = Requirement(level=Level.MULTI, max_age=15 * MINUTE)
        old = (proof(K, NOW - 60 * MINUTE), proof(P, NOW - 60 * MINUTE))
        with pytest.raises(FreshSignInNeeded):
            require_level(session(*old, proof(M)), need, Level.MULTI, NOW)
        require_level(session(*old, proof(P)), need, Level.MULTI, NOW)

    @pytest.mark.proves("KER-271", "KER-272")
    def test_whatever_keeps_a_session_alive_makes_it_no_fresher(self):
        auth = AuthContext(proofs=(proof(K, NOW - 60 * MINUTE),), level=Level.SINGLE, authenticated_at=NOW)
        with pytest.raises(FreshSignInNeeded):
            require_level(auth, Requirement(level=Level.SINGLE, max_age=15 * MINUTE), Level.SINGLE, NOW)
