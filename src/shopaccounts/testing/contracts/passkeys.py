"""What every ``Passkeys`` must promise; one test or more for each number of its promises.

Subclass ``PasskeysContract`` in your own tests, under a name that starts with ``Test``, and say how to make yours. What
answers is a ``SoftwareAuthenticator`` that bends one thing at a time.
"""

# ruff: noqa: D102  (a test's name is its sentence; expected numbers are what a test is about)
import json
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.signin.authenticators import Passkey
from shopaccounts.signin.errors import PasskeyRefused
from shopaccounts.signin.passkeys.policy import PasskeyPolicy
from shopaccounts.signin.passkeys.ports import Passkeys, PasskeyUser
from shopaccounts.signin.passkeys.responses import (
    AssertionResponse,
    RegistrationResponse,
    read_assertion,
    read_registration,
)
from shopaccounts.signin.passkeys.rules import Assertion, Descriptor, Expected, NewCredential
from shopaccounts.testing.authenticator import EDDSA, ES256, RS256, Bends, SoftwareAuthenticator
from shopaccounts.testing.doubles import ScriptedEntropy

__all__ = ["PasskeysContract"]

T = TypeVar("T", AssertionResponse, RegistrationResponse)
POLICY: Final = PasskeyPolicy(
    rp_id="lampenhaus.example",
    rp_name="Lampenhaus",
    origins=("https://lampenhaus.example", "https://m.lampenhaus.example"),
    cross_origin=("https://partner.example",),
)
NOW: Final = datetime(2031, 5, 4, 10, tzinfo=UTC)
CHALLENGE: Final = bytes(range(32))
HANDLE: Final = b"h" * 64
OTHER: Final = b"o" * 32
USER: Final = PasskeyUser(handle=HANDLE, name="anna@lamp.example")

BENT_PAGES: Final = {
    "another question": (Bends(type="payment.get"), "type"),
    "another challenge": (Bends(challenge=OTHER), "challenge"),
    "a shorter challenge": (Bends(challenge=CHALLENGE[:31]), "challenge"),
    "another page": (Bends(origin="https://lampenhaus.example.evil.example"), "origin"),
    "a page below": (Bends(origin="https://shop.lampenhaus.example"), "origin"),
    "another port": (Bends(origin="https://lampenhaus.example:8443"), "origin"),
    "an unsafe page": (Bends(origin="http://lampenhaus.example"), "origin"),
    "a page with a slash": (Bends(origin="https://lampenhaus.example/"), "origin"),
    "a frame of nobody": (Bends(cross_origin=True), "cross_origin"),
    "a frame of a stranger": (Bends(cross_origin=True, top_origin="https://evil.example"), "cross_origin"),
    "a page around no frame": (Bends(top_origin="https://partner.example"), "cross_origin"),
    "a frame that is a word": (Bends(cross_origin="true", top_origin="https://partner.example"), "cross_origin"),
    "a frame that is a number": (Bends(cross_origin=0), "cross_origin"),
}
BENT_DEVICES: Final = {
    "another domain": (Bends(rp_id="evil.example"), "relying_party"),
    "a domain above": (Bends(rp_id="example"), "relying_party"),
    "nobody there": (Bends(user_present=False), "user_presence"),
    "a copy of what can't be copied": (Bends(eligible=False, backed_up=True), "backup_state"),
}


def expected(policy: PasskeyPolicy = POLICY, *, user_verification: bool = False) -> Expected:
    """Answer what answers are held against."""
    return Expected(challenge=CHALLENGE, policy=policy, user_verification=user_verification, now=NOW)


def device(algorithm: int = ES256, seed: str = "mine", **made: Any) -> SoftwareAuthenticator:
    """Answer a device of its own."""
    return attrs.evolve(SoftwareAuthenticator(entropy=ScriptedEntropy(seed), algorithm=algorithm), **made)


def kept(made: NewCredential) -> Passkey:
    """Answer a key as a shop keeps it."""
    return Passkey(
        id="p",
        credential=made.credential,
        public_key=made.public_key,
        counter=made.seen.counter,
        created_at=NOW,
        is_backup_eligible=made.seen.is_backup_eligible,
    )


class PasskeysContract(ABC):
    """The promises of ``Passkeys`` as tests."""

    @abstractmethod
    def passkeys(self) -> Passkeys:
        """Answer the adapter under test."""

    async def asked_to_make(self, policy: PasskeyPolicy = POLICY) -> str:
        return await got(self.passkeys().registration_options(policy, CHALLENGE, USER, ()))

    async def asked_to_use(self, *allow: Descriptor) -> str:
        asking = self.passkeys().authentication_options(POLICY, CHALLENGE, allow, user_verification="preferred")
        return await got(asking)

    async def made(
        self,
        with_: SoftwareAuthenticator,
        bends: Bends = Bends(),  # noqa: B008  (frozen)
        policy: PasskeyPolicy = POLICY,
        *,
        user_verification: bool = False,
    ) -> NewCredential:
        answer = with_.create(await self.asked_to_make(policy), bends)
        held_against = expected(policy, user_verification=user_verification)
        return await got(self.passkeys().verify_registration(read_registration(answer), held_against))

    async def used(
        self,
        with_: SoftwareAuthenticator,
        passkey: Passkey,
        bends: Bends = Bends(),  # noqa: B008  (frozen)
        *,
        user_verification: bool = False,
    ) -> Assertion:
        answer = read_assertion(with_.get(await self.asked_to_use(), bends))
        return await got(
            self.passkeys().verify_assertion(answer, passkey, expected(user_verification=user_verification))
        )

    @pytest.mark.proves("SIG-20", "SIG-21", "SIG-22", "ADA-205")
    async def test_a_browser_is_asked_to_make_exactly_what_is_wanted(self) -> None:
        exclude = (Descriptor(credential=b"old one", transports=("usb", "nfc")),)
        asking = self.passkeys().registration_options(POLICY, CHALLENGE, USER, exclude)
        asked = json.loads(await got(asking))
        assert asked["challenge"] == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
        assert asked["rp"] == {"id": "lampenhaus.example", "name": "Lampenhaus"}
        assert (asked["user"]["id"], asked["user"]["name"]) == ("aGhoaGho" * 10 + "aGhoaA", "anna@lamp.example")
        assert [one["alg"] for one in asked["pubKeyCredParams"]] == [EDDSA, ES256, RS256]
        assert asked["excludeCredentials"] == [{"id": "b2xkIG9uZQ", "type": "public-key", "transports": ["usb", "nfc"]}]
        selection = asked["authenticatorSelection"]
        assert (selection["residentKey"], selection["userVerification"]) == ("preferred", "preferred")
        assert (asked["attestation"], asked["timeout"]) == ("none", 300_000)

    @pytest.mark.proves("SIG-20", "SIG-25")
    async def test_a_browser_is_asked_to_use_exactly_what_is_named(self) -> None:
        named = json.loads(await self.asked_to_use(Descriptor(credential=b"this")))
        assert named["allowCredentials"] == [{"id": "dGhpcw", "type": "public-key"}]
        unnamed = json.loads(await self.asked_to_use())
        assert unnamed["allowCredentials"] == []
        assert unnamed["challenge"] == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
        assert (unnamed["rpId"], unnamed["userVerification"]) == ("lampenhaus.example", "preferred")
        assert await self.asked_to_use() == await self.asked_to_use()

    @pytest.mark.proves("SIG-22", "SIG-23", "ADA-205")
    @pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
    async def test_a_key_of_every_kind_is_taken_and_its_signatures_are_right(self, algorithm: int) -> None:
        mine = device(algorithm)
        made = await self.made(mine)
        assert (made.credential, made.seen.user_verified) == (mine.held[0].credential, True)
        assert (made.transports, made.aaguid) == (("hybrid", "internal"), "00010203-0405-0607-0809-0a0b0c0d0e0f")
        assert (await self.used(mine, kept(made))).seen.counter == 1

    @pytest.mark.proves("SIG-22", "ADA-205")
    @pytest.mark.parametrize("bent", [*BENT_PAGES, *BENT_DEVICES])
    async def test_a_bent_registration_is_refused(self, bent: str) -> None:
        bends, reason = (BENT_PAGES | BENT_DEVICES)[bent]
        with pytest.raises(PasskeyRefused) as refused:
            await self.made(device(), bends)
        assert refused.value.reason == reason

    @pytest.mark.proves("SIG-23", "ADA-205")
    @pytest.mark.parametrize("bent", [*BENT_PAGES, *BENT_DEVICES])
    async def test_a_bent_use_is_refused(self, bent: str) -> None:
        mine = device()
        passkey = kept(await self.made(mine))
        bends, reason = (BENT_PAGES | BENT_DEVICES)[bent]
        with pytest.raises(PasskeyRefused) as refused:
            await self.used(mine, passkey, bends)
        assert refused.value.reason == reason

    @pytest.mark.proves("SIG-22", "SIG-23")
    async def test_an_answer_to_the_other_kind_of_question_is_refused(self) -> None:
        mine = device()
        with pytest.raises(PasskeyRefused, match=r"signin\.passkey_refused"):
            await self.made(mine, Bends(type="webauthn.get"))
        passkey = kept(await self.made(mine))
        with pytest.raises(PasskeyRefused) as refused:
            await self.used(mine, passkey, Bends(type="webauthn.create"))
        assert refused.value.reason == "type"

    @pytest.mark.proves("SIG-23")
    async def test_every_page_of_the_shop_counts_and_so_does_a_frame_that_it_named(self) -> None:
        mine = device()
        made = await self.made(mine, Bends(origin="https://m.lampenhaus.example"))
        framed = Bends(cross_origin=True, top_origin="https://partner.example")
        assert (await self.used(mine, kept(made), framed)).seen.counter == 1

    @pytest.mark.proves("SIG-22", "SIG-23", "ADA-205")
    async def test_a_user_who_was_not_verified_is_refused_where_that_is_asked_for_and_told_of_where_not(self) -> None:
        mine = device(verifies_user=False)
        passkey = kept(await self.made(mine))
        assert not (await self.used(mine, passkey)).seen.user_verified
        for attempt in (self.made(mine, user_verification=True), self.used(mine, passkey, user_verification=True)):
            with pytest.raises(PasskeyRefused) as refused:
                await attempt
            assert refused.value.reason == "user_verification"

    @pytest.mark.proves("SIG-22", "ADA-205")
    async def test_only_signatures_that_the_shop_takes_are_taken(self) -> None:
        only_es256 = attrs.evolve(POLICY, algorithms=(ES256,))
        with pytest.raises(PasskeyRefused) as refused:
            await self.made(device(EDDSA), policy=only_es256)
        assert refused.value.reason == "algorithm"
        assert (await self.made(device(ES256), policy=only_es256)).seen.user_verified

    @pytest.mark.proves("SIG-23")
    @pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
    async def test_another_keys_signature_and_another_keys_name_are_refused(self, algorithm: int) -> None:
        mine, foreign = device(algorithm), device(algorithm, "foreign")
        passkey = kept(await self.made(mine))
        await self.made(foreign)
        for bends in (Bends(signed_by=foreign.held[0]), Bends(credential=b"another key")):
            with pytest.raises(PasskeyRefused) as refused:
                await self.used(mine, passkey, bends)
            assert refused.value.reason == "signature"

    @pytest.mark.proves("SIG-23")
    async def test_a_signature_over_other_bytes_is_refused(self) -> None:
        mine = device()
        passkey = kept(await self.made(mine))
        answer = read_assertion(mine.get(await self.asked_to_use()))
        counted = answer.authenticator_data[:-1] + b"\xff"
        for other in (
            attrs.evolve(answer, signature=answer.signature[:-1] + bytes([answer.signature[-1] ^ 1])),
            attrs.evolve(answer, authenticator_data=counted),
            attrs.evolve(
                answer, client_data=answer.client_data.replace(b'"crossOrigin": false', b'"crossOrigin":false')
            ),
        ):
            with pytest.raises(PasskeyRefused) as refused:
                await got(self.passkeys().verify_assertion(other, passkey, expected()))
            assert refused.value.reason == "signature"

    @pytest.mark.proves("SIG-24", "ADA-205")
    @pytest.mark.parametrize(("stored", "said"), [(7, 7), (7, 3), (7, 0), (0, 0), (7, 8)])
    async def test_a_counter_is_told_and_never_judged(self, stored: int, said: int) -> None:
        mine = device()
        passkey = attrs.evolve(kept(await self.made(mine)), counter=stored)
        assert (await self.used(mine, passkey, Bends(counter=said))).seen.counter == said

    @pytest.mark.proves("SIG-22", "ADA-205")
    async def test_a_statement_that_nobody_asked_for_has_to_be_right_and_changes_nothing(self) -> None:
        self_attested = Bends(self_attested=True)
        assert (await self.made(device(), self_attested)).seen.user_verified
        answer = read_registration(device().create(await self.asked_to_make(), self_attested))
        bent = answer.attestation.replace(b"fmtfpacked", b"fmtfpacket")
        other = attrs.evolve(answer, client_data=answer.client_data.replace(b": ", b":"))
        for wrong in (attrs.evolve(answer, attestation=bent), other):
            with pytest.raises(PasskeyRefused) as refused:
                await got(self.passkeys().verify_registration(wrong, expected()))
            assert refused.value.reason == "attestation"

    @pytest.mark.proves("SIG-22")
    async def test_a_key_that_goes_by_another_name_than_the_device_gave_it_is_refused(self) -> None:
        with pytest.raises(PasskeyRefused) as refused:
            await self.made(device(), Bends(credential=b"another key"))
        assert refused.value.reason == "form"

    @pytest.mark.proves("SIG-22", "ADA-205")
    @pytest.mark.parametrize("size", [1, 1023])
    async def test_names_of_keys_may_be_long(self, size: int) -> None:
        assert len((await self.made(device(id_bytes=size))).credential) == size

    @pytest.mark.proves("SIG-22", "ADA-205")
    async def test_names_of_more_than_1023_bytes_are_refused(self) -> None:
        with pytest.raises(PasskeyRefused):
            await self.made(device(id_bytes=1024))

    @pytest.mark.proves("ADA-205")
    @pytest.mark.parametrize("junk", [b"", b"\x00", b"\xff" * 37, b"{}", b"\xa0", b"\x9f" * 20_000])
    async def test_no_junk_gets_anything_but_a_reason(self, junk: bytes) -> None:
        mine = device()
        passkey = kept(await self.made(mine))
        registered = read_registration(mine.create(await self.asked_to_make()))
        answered = read_assertion(mine.get(await self.asked_to_use()))
        for part in ("client_data", "attestation"):
            with pytest.raises(PasskeyRefused) as refused:
                await got(self.passkeys().verify_registration(_with(registered, part, junk), expected()))
            assert not refused.value.__context__ or refused.value.__suppress_context__
        for part in ("client_data", "authenticator_data", "signature", "credential"):
            with pytest.raises(PasskeyRefused):
                await got(self.passkeys().verify_assertion(_with(answered, part, junk), passkey, expected()))


def _with(answer: T, part: str, junk: bytes) -> T:
    changed: T = attrs.evolve(answer, **{part: junk})  # type: ignore[arg-type]  # each part named is bytes
    return changed
