"""How an account can be opened, how far that reaches, and what is asked for after the first proof."""

from datetime import UTC, datetime
from itertools import chain, combinations

import attrs
import pytest

from shopaccounts.customers import (
    AccountStatus,
    ContactPoint,
    ContactRole,
    Customer,
    Origin,
    Standing,
    Username,
    VerificationMethod,
)
from shopaccounts.kernel.assurance import KIND_OF, AuthContext, Level, Method, Proof, WayIn, level_of
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.ids import AccountId, ContactId, CustomerId, RealmId
from shopaccounts.passwords import PasswordRecord
from shopaccounts.signin import (
    Authenticators,
    Factor,
    FactorKind,
    Identity,
    LastWayIn,
    Offered,
    Passkey,
    SecondFactorMode,
    SecondFactorPolicy,
)
from shopaccounts.signin.authenticators import RecoveryCode, RecoveryCodes

NOW = datetime(2031, 1, 1, 12, tzinfo=UTC)
ANN, MAIN = AccountId("ann"), RealmId("main")
MAIL, PHONE = ContactId("mail"), ContactId("phone")
ALL = Offered(ways=frozenset(WayIn), factors=SecondFactorPolicy(), providers=frozenset({"big"}))
PASSWORD = PasswordRecord(id=ANN, realm=MAIN, hash="x", set_at=NOW, meets_single_factor_minimum=True)
CODES = RecoveryCodes(made_at=NOW, codes=(RecoveryCode(mac=b"m", key_id="k"),))


def contact(id=MAIL, *, verified=True, roles=frozenset({ContactRole.LOGIN})):
    value = PhoneNumber.parse("+4915112345678") if id == PHONE else EmailAddress.parse("ann@lamp.example")
    kind = ContactKind.PHONE if id == PHONE else ContactKind.EMAIL
    point = ContactPoint(id=id, kind=kind, value=value, roles=roles, added_at=NOW)
    return point.proven(VerificationMethod.CODE, "x", NOW) if verified else point


def customer(*contacts, username=None):
    return Customer(
        id=CustomerId(ANN),
        realm=MAIN,
        standing=Standing(status=AccountStatus.ACTIVE),
        contacts=contacts or (contact(),),
        username=username,
        created_at=NOW,
        origin=Origin.REGISTRATION,
    )


def factor(kind, **values):
    at = {FactorKind.SMS: PHONE, FactorKind.EMAIL_STEP: MAIL}.get(kind)
    return Factor(**{"id": kind.value, "kind": kind, "created_at": NOW, "contact": at, **values})


def passkey(id="key", **values):
    return Passkey(
        **{"id": id, "credential": id.encode(), "public_key": b"p", "counter": 0, "created_at": NOW, **values}
    )


def own(*factors, passkeys=(), codes=None, identities=()):
    return Authenticators(
        id=ANN, realm=MAIN, factors=factors, passkeys=passkeys, recovery_codes=codes, identities=identities
    )


def proof(method, **values):
    return Proof(method=method, kind=KIND_OF[method], at=NOW, **values)


BOTH = customer(contact(), contact(PHONE))
TOTP, SMS, MAIL_STEP = factor(FactorKind.TOTP), factor(FactorKind.SMS), factor(FactorKind.EMAIL_STEP)
IDENTITY = Identity(id="i", provider="big", issuer="https://big.example", subject="1", linked_at=NOW)


def kinds(asked):
    return None if asked is None else [option.kind for option in asked.options]


class TestWaysIn:
    @pytest.mark.proves("SIG-53")
    def test_a_password_is_a_way_in_with_something_to_sign_in_with(self):
        only_password = attrs.evolve(ALL, ways=frozenset())
        nobody = customer(contact(verified=False, roles=frozenset()))
        named = customer(
            contact(verified=False, roles=frozenset()), username=Username(name="ann.lamp", skeleton="ann.lamp")
        )
        assert only_password.ways_in(customer(), None, PASSWORD) == {WayIn.PASSWORD}
        assert only_password.ways_in(named, None, PASSWORD) == {WayIn.PASSWORD}
        assert only_password.ways_in(nobody, None, PASSWORD) == frozenset()
        assert only_password.ways_in(customer(), None, None) == frozenset()
        assert only_password.ways_in(customer(), None, attrs.evolve(PASSWORD, is_disabled=True)) == frozenset()

    @pytest.mark.proves("SIG-53")
    @pytest.mark.parametrize(
        ("has", "way"),
        [
            (own(passkeys=(passkey(),)), WayIn.PASSKEY),
            (own(identities=(IDENTITY,)), WayIn.PROVIDER),
        ],
        ids=lambda value: value.value if isinstance(value, WayIn) else "",
    )
    def test_what_is_enrolled_is_a_way_in_while_the_shop_offers_it(self, has, way):
        assert ALL.ways_in(customer(contact(roles=frozenset({ContactRole.NOTIFY}))), has, None) == {way}
        switched_off = attrs.evolve(ALL, ways=frozenset(), providers=frozenset())
        assert switched_off.ways_in(customer(), has, None) == frozenset()

    @pytest.mark.proves("SIG-53")
    def test_a_passkey_that_was_disabled_is_none(self):
        assert WayIn.PASSKEY not in ALL.ways_in(customer(), own(passkeys=(passkey(is_disabled=True),)), None)

    @pytest.mark.proves("SIG-53", "KER-221")
    def test_a_verified_address_or_number_is_a_way_in_where_codes_are_offered(self):
        assert ALL.ways_in(BOTH, None, None) == {WayIn.EMAIL, WayIn.SMS}
        assert ALL.ways_in(customer(contact(PHONE)), None, None) == {WayIn.SMS}
        assert attrs.evolve(ALL, ways=frozenset({WayIn.SMS})).ways_in(customer(), None, None) == frozenset()
        assert ALL.ways_in(customer(contact(verified=False, roles=frozenset())), None, None) == frozenset()

    @pytest.mark.proves("SIG-53")
    def test_the_last_one_stays(self):
        assert ALL.check_way_stays(customer(), None, None) == {WayIn.EMAIL}
        with pytest.raises(LastWayIn):
            attrs.evolve(ALL, ways=frozenset()).check_way_stays(customer(), None, None)

    @pytest.mark.proves("SIG-53")
    def test_second_factors_are_no_ways_in(self):
        nothing = attrs.evolve(ALL, ways=frozenset())
        assert nothing.ways_in(BOTH, own(TOTP, SMS, MAIL_STEP, codes=CODES), None) == frozenset()


class TestReach:
    @pytest.mark.proves("KER-272", "KER-270")
    @pytest.mark.parametrize(
        "has",
        [subset for n in range(4) for subset in combinations((TOTP, SMS, MAIL_STEP), n)],
        ids=lambda has: "+".join(one.kind.value for one in has) or "nothing",
    )
    @pytest.mark.parametrize("password", [PASSWORD, None], ids=["password", "no password"])
    def test_two_factors_take_a_password_and_something_one_has(self, has, password):
        expected = Level.MULTI if password and {TOTP, SMS} & {*has} else Level.SINGLE
        assert ALL.can_reach(BOTH, own(*has), password) is expected

    @pytest.mark.proves("KER-272", "KER-270")
    def test_a_passkey_reaches_two_factors_if_it_verifies_its_user_or_beside_a_password(self):
        verifying, plain = own(passkeys=(passkey(user_verified=True),)), own(passkeys=(passkey(),))
        assert ALL.can_reach(BOTH, verifying, None) is Level.MULTI
        assert ALL.can_reach(BOTH, plain, None) is Level.SINGLE
        assert ALL.can_reach(BOTH, plain, PASSWORD) is Level.MULTI

    @pytest.mark.proves("KER-272")
    @pytest.mark.parametrize(
        ("has", "whose"),
        [
            (own(attrs.evolve(TOTP, is_disabled=True)), BOTH),
            (own(SMS), customer()),
            (own(SMS), customer(contact(), contact(PHONE, verified=False, roles=frozenset()))),
            (own(passkeys=(passkey(user_verified=True, is_disabled=True),)), BOTH),
            (own(codes=CODES), BOTH),
            (None, BOTH),
        ],
        ids=["disabled", "no phone", "unproven phone", "disabled passkey", "codes alone", "nothing"],
    )
    def test_what_can_not_be_used_reaches_nothing(self, has, whose):
        assert ALL.can_reach(whose, has, PASSWORD) is Level.SINGLE

    @pytest.mark.proves("KER-272")
    def test_a_kind_that_the_shop_gave_up_reaches_nothing(self):
        fewer = attrs.evolve(ALL, factors=SecondFactorPolicy(kinds=frozenset({FactorKind.PASSKEY})))
        assert fewer.can_reach(BOTH, own(TOTP), PASSWORD) is Level.SINGLE


class TestWhatProtectsAPassword:
    @pytest.mark.proves("PAS-23")
    @pytest.mark.parametrize(
        ("has", "kinds", "level"),
        [
            (None, frozenset(FactorKind), Level.SINGLE),
            (own(MAIL_STEP, codes=CODES), frozenset(FactorKind), Level.SINGLE),
            (own(TOTP), frozenset(FactorKind), Level.MULTI),
            (own(attrs.evolve(TOTP, is_disabled=True)), frozenset(FactorKind), Level.MULTI),
            (own(TOTP), frozenset({FactorKind.PASSKEY}), Level.SINGLE),
            (own(passkeys=(passkey(),)), frozenset(FactorKind), Level.MULTI),
            (own(passkeys=(passkey(user_verified=True),)), frozenset({FactorKind.TOTP}), Level.SINGLE),
        ],
        ids=["nothing", "mailbox", "app", "disabled app", "app given up", "passkey", "passkey never asked"],
    )
    def test_it_is_what_is_asked_for_after_it(self, has, kinds, level):
        offered = attrs.evolve(ALL, factors=SecondFactorPolicy(kinds=kinds))
        assert offered.password_reaches(has) is level


class TestFreshProofs:
    def methods(self, has, *given, whose=BOTH, password=PASSWORD, offered=ALL):
        proofs = tuple(map(proof, given))
        auth = AuthContext(proofs=proofs, level=level_of(proofs), authenticated_at=NOW)
        return {method.value for method in offered.methods(whose, has, password, auth)}

    @pytest.mark.proves("KER-272", "SIG-61")
    def test_who_has_a_password_alone_proves_it_by_that_or_by_the_mailbox(self):
        assert self.methods(None, Method.PASSWORD) == {"password", "email_code"}
        no_codes = attrs.evolve(ALL, ways=frozenset())
        assert self.methods(None, Method.PASSWORD, offered=no_codes) == {"password"}
        assert self.methods(None, Method.EMAIL_CODE, password=None) == {"email_code"}

    @pytest.mark.proves("KER-272", "SIG-61")
    def test_two_factors_are_reached_by_the_one_that_is_missing_and_refreshed_by_either(self):
        has = own(TOTP, SMS, MAIL_STEP, codes=CODES)
        assert self.methods(has, Method.PASSWORD) == {"totp", "sms_code", "recovery_code"}
        assert self.methods(has, Method.TOTP) == {"password"}
        assert self.methods(has, Method.PASSWORD, Method.TOTP) == {"password", "totp", "sms_code", "recovery_code"}

    @pytest.mark.proves("KER-272", "SIG-61")
    def test_a_passkey_that_verifies_its_user_does_by_itself(self):
        verifying, plain = own(passkeys=(passkey(user_verified=True),)), own(passkeys=(passkey(),))
        assert self.methods(verifying, Method.EMAIL_CODE, password=None) == {"passkey"}
        assert self.methods(plain, Method.PASSWORD) == {"passkey"}

    @pytest.mark.proves("KER-272", "SIG-61")
    def test_a_linked_provider_that_is_switched_on_refreshes_one_factor(self):
        has = own(identities=(IDENTITY,))
        assert "provider" in self.methods(has, Method.PROVIDER, password=None)
        off = attrs.evolve(ALL, providers=frozenset())
        assert "provider" not in self.methods(has, Method.PROVIDER, password=None, offered=off)


class TestSecondStep:
    @pytest.mark.proves("SIG-1")
    @pytest.mark.parametrize("method", [m for m in Method if m is not Method.SECURITY_ANSWERS])
    def test_who_enrolled_nothing_is_asked_nothing(self, method):
        for has in (None, own(), own(codes=CODES), own(identities=(IDENTITY,))):
            assert ALL.second_step(BOTH, has, PASSWORD, (proof(method),)) is None

    @pytest.mark.proves("SIG-1", "SIG-34")
    @pytest.mark.parametrize(
        ("method", "shown", "expected"),
        [
            (Method.PASSWORD, (), ["totp", "sms", "email_step", "recovery_codes"]),
            (Method.EMAIL_CODE, (MAIL,), ["totp", "sms", "recovery_codes"]),
            (Method.EMAIL_LINK, (MAIL,), ["totp", "sms", "recovery_codes"]),
            (Method.SMS_CODE, (PHONE,), ["totp", "email_step", "recovery_codes", "password"]),
            (Method.PASSKEY, ("key",), ["totp", "sms", "email_step", "recovery_codes", "password"]),
            (Method.PROVIDER, (), ["totp", "sms", "email_step", "recovery_codes"]),
        ],
    )
    def test_the_options_are_those_that_show_something_else(self, method, shown, expected):
        has = own(TOTP, SMS, MAIL_STEP, codes=CODES)
        asked = ALL.second_step(BOTH, has, PASSWORD, (proof(method),), frozenset(shown))
        assert kinds(asked) == expected

    @pytest.mark.proves("SIG-1")
    def test_a_passkey_is_an_option_unless_it_was_the_first_proof(self):
        has = own(passkeys=(passkey(),))
        assert kinds(ALL.second_step(BOTH, has, PASSWORD, (proof(Method.PASSWORD),))) == ["passkey"]
        two = own(passkeys=(passkey(), passkey("other")))
        assert kinds(ALL.second_step(BOTH, two, None, (proof(Method.PASSKEY),), frozenset({"key"}))) == ["passkey"]
        assert ALL.second_step(BOTH, has, None, (proof(Method.PASSKEY),), frozenset({"key"})) is None

    @pytest.mark.proves("SIG-1")
    def test_a_code_to_the_only_phone_asks_for_the_password_if_there_is_one(self):
        first = (proof(Method.SMS_CODE),)
        assert kinds(ALL.second_step(BOTH, own(SMS), PASSWORD, first, frozenset({PHONE}))) == ["password"]
        assert ALL.second_step(BOTH, own(SMS), None, first, frozenset({PHONE})) is None

    @pytest.mark.proves("SIG-1")
    def test_two_factors_at_once_are_asked_nothing(self):
        verified = (proof(Method.PASSKEY, user_verified=True),)
        assert ALL.second_step(BOTH, own(TOTP, passkeys=(passkey(),)), PASSWORD, verified) is None

    @pytest.mark.proves("SIG-10")
    def test_an_option_tells_the_name_and_a_masked_hint(self):
        asked = ALL.second_step(BOTH, own(attrs.evolve(SMS, label="mine")), PASSWORD, (proof(Method.PASSWORD),))
        assert asked is not None
        (option,) = asked.options
        assert (option.factor, option.label) == ("sms", "mine")
        assert option.hint
        assert "12345678" not in option.hint

    @pytest.mark.proves("KER-266", "SIG-1")
    @pytest.mark.parametrize(
        "has",
        [own(attrs.evolve(TOTP, is_disabled=True)), own(passkeys=(passkey(is_disabled=True),)), own(SMS)],
        ids=["app", "passkey", "phone that is gone"],
    )
    def test_what_can_not_be_used_any_more_is_asked_for_all_the_same(self, has):
        assert kinds(ALL.second_step(customer(), has, PASSWORD, (proof(Method.PASSWORD),))) == []

    @pytest.mark.proves("SIG-1", "KER-270")
    def test_whatever_is_enrolled_a_password_alone_never_opens_an_account_with_a_usable_factor(self):
        everything = (TOTP, SMS, MAIL_STEP)
        for has in chain.from_iterable(combinations(everything, n) for n in range(1, 4)):
            asked = ALL.second_step(BOTH, own(*has), PASSWORD, (proof(Method.PASSWORD),))
            assert kinds(asked) == [one.kind.value for one in has]

    @pytest.mark.proves("SIG-1")
    def test_a_kind_that_the_shop_gave_up_is_not_asked_for(self):
        fewer = attrs.evolve(ALL, factors=SecondFactorPolicy(kinds=frozenset({FactorKind.TOTP})))
        assert fewer.second_step(BOTH, own(SMS, MAIL_STEP), PASSWORD, (proof(Method.PASSWORD),)) is None
        assert fewer.second_step(BOTH, own(passkeys=(passkey(),)), PASSWORD, (proof(Method.PASSWORD),)) is None


class TestEnrolment:
    REQUIRED = attrs.evolve(ALL, factors=SecondFactorPolicy(mode=SecondFactorMode.REQUIRED))

    @pytest.mark.proves("SIG-4")
    def test_a_shop_that_requires_a_second_factor_has_everybody_enrol_one(self):
        by_password = (proof(Method.PASSWORD),)
        for has in (None, own(), own(MAIL_STEP), own(codes=CODES)):
            assert self.REQUIRED.must_enrol(has, by_password)
            assert not ALL.must_enrol(has, by_password)
        for has in (own(TOTP), own(SMS), own(passkeys=(passkey(),))):
            assert not self.REQUIRED.must_enrol(has, by_password)

    @pytest.mark.proves("SIG-4", "PVD-23")
    def test_who_came_with_two_factors_has_them(self):
        assert not self.REQUIRED.must_enrol(None, (proof(Method.PROVIDER, strong=Level.MULTI),))
        assert level_of((proof(Method.PROVIDER, strong=Level.MULTI),)) is Level.MULTI
