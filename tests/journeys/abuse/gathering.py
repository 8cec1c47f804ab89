"""Everything that somebody can hold of a shop, gathered in one shop, all of it good at the same moment."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs

from shopaccounts.adapters.phone import PlannedPhones
from shopaccounts.adapters.sms import ConsoleCourier
from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, Customer, Delivery, VerificationMethod
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.ids import ContactId, WorkerId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import PhonePolicy
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.providers import Intent, ProviderPolicy
from shopaccounts.recovery import Evidence, EvidenceKind, ResetPolicy, SecondFactorAt, SecurityQuestionsPolicy
from shopaccounts.registration import RegistrationForm, RegistrationPolicy, UsernamePolicy
from shopaccounts.signin import (
    AUTHENTICATORS,
    ActingScope,
    Factor,
    FactorKind,
    PasskeyPolicy,
    RenewalPolicy,
    SentCodeAnswer,
    SessionPolicy,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.authenticator import SoftwareAuthenticator
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import ScriptedEntropy, StaffRoom
from shopaccounts.testing.providers import Browser, LittleProvider, QuickTokens

ANN, TEL, NEW = "ann@lamp.example", "+4915112345678", "another lamp by the river"
TESS = "+4915198765432"
HELD = Secret("the value of one browser, quite long")
AGENT = "Mozilla/5.0 (X11) Firefox/1"
HERE = request_from(agent=AGENT, browser=HELD)
DOMAIN = "lampenhaus.example"
MINUTE, DAY, WEEK = timedelta(minutes=1), timedelta(days=1), timedelta(days=7)
WIDE = attrs.evolve(
    without_gaps(), phone_hourly=without_gaps().mailbox_hourly, phone_daily=without_gaps().mailbox_daily
)
EVIDENCE = (Evidence(EvidenceKind.ORDER_AND_POSTAL_CODE, right=True), Evidence(EvidenceKind.DOCUMENT, right=True))


def proven(value: Any, at: Any, *roles: ContactRole) -> ContactPoint:
    """A contact that somebody proved long ago."""
    kind = ContactKind.EMAIL if isinstance(value, EmailAddress) else ContactKind.PHONE
    point = ContactPoint(id=ContactId(value.stored), kind=kind, value=value, added_at=at, roles=frozenset(roles))
    return point.proven(VerificationMethod.CODE, "a challenge", at)


def _with(contact: ContactPoint) -> Callable[[Customer], Customer]:
    return lambda customer: attrs.evolve(customer, contacts=(*customer.contacts, contact))


class Gathering:
    """A shop, several people, and what each of them holds; nobody holds two things of one kind.

    ``texts`` has each thing by a name, ``hand`` what is given beside one: codes, ids, answers of devices.
    """

    def __init__(self) -> None:
        self.texts: dict[str, Secret[str]] = {}
        self.hand: dict[str, Any] = {}
        self.people: dict[str, str] = {}
        self.staff = StaffRoom()
        courier = ConsoleCourier(io.StringIO())
        self.builder = ShopBuilder(
            agents=self.staff,
            couriers=dict.fromkeys((Channel.SMS, Channel.VOICE), courier),
        )
        self.provider = LittleProvider(self.builder.clock.now)
        self.builder.ports = {"id_tokens": QuickTokens(self.provider), "phone_rules": PlannedPhones()}
        self.builder.policies = quick_policies(
            sends=WIDE,
            phones=PhonePolicy(default_country="DE"),
            passkeys=PasskeyPolicy(rp_id=DOMAIN, rp_name="Lampenhaus", origins=(f"https://{DOMAIN}",)),
            providers=ProviderPolicy(configs=(self.provider.config(),)),
            registration=RegistrationPolicy(usernames=UsernamePolicy(enabled=True)),
            questions=SecurityQuestionsPolicy(enabled=True, accept_risk=True),
            resets=ResetPolicy(second_factor_at=SecondFactorAt.RESET),
            sessions=SessionPolicy(renewal=RenewalPolicy()),
        )
        self.shop = self.builder.build()

    # What it is gathered with

    def newest(self, template: str, link: str = "link") -> Secret[str]:
        found = [one for one in self.builder.mailbag.letters if one.template == template]
        return found[-1].ticket(link)

    def code(self, template: str) -> str:
        return next(one for one in reversed(self.builder.mailbag.letters) if one.template == template).code

    async def enters(self, name: str) -> Any:
        step: Any = await self.shop.signin.sign_in_with_password(f"{name}@lamp.example", PASSWORD, HERE)
        return step.session

    async def opens(self, name: str) -> Any:
        account = await self.shop.open_account(f"{name}@lamp.example")
        self.people[name] = account.id
        return account

    def acting(self, name: str) -> Any:
        self.staff.hire(name, signed_in_at=self.builder.clock.now())
        was = self.builder.scope
        self.builder.scope = attrs.evolve(was, actor=Actor(ActorKind.AGENT, name))
        shop = self.builder.build()
        self.builder.scope = was
        return shop

    # What took long

    async def gather(self) -> "Gathering":
        """Gather all of it."""
        await self._cases_that_wait()
        await self._an_account_with_everything()
        await self._changes_of_addresses()
        await self._what_comes_from_strangers()
        await self._what_is_short_lived()
        return self

    async def _cases_that_wait(self) -> None:
        """Two lost mailboxes: one whose case waits, one that an agent vouched for and that is ready."""
        await self.opens("agathe")
        for name in ("emil", "erna"):
            account = await self.opens(name)
            address = EmailAddress.parse(f"{name}@second.example")
            point = proven(address, self.builder.clock.now(), ContactRole.RECOVERY)
            await self.builder.edit(CUSTOMERS, account.id, _with(point))
        lost = await self.opens("lotte")
        asked = await self.acting("eve").case_help.open_case_for(lost.id, "lotte@new.example", EVIDENCE, "she asked")
        agreed = await self.acting("bert").case_help.agree_to_case(asked.case, "she asked")
        self.builder.clock.set(agreed.earliest_at + MINUTE)
        await self.shop.cases.attend_cases(10, WorkerId("test"))
        self.texts["complete_case"] = self.newest("recovery.complete_case")
        emils = await self.enters("emil")
        await self.shop.cases.start_mailbox_recovery(emils, "emil@new.example", HERE)
        opening, code = self.newest("recovery.prove_mailbox"), self.code("recovery.recovery_code")
        opened = await self.shop.cases.open_mailbox_case(emils, opening, code, HERE)
        self.texts["recovery_holder"] = opened.handle
        self.texts["cancel_recovery"] = self.newest("recovery.case_waiting", "cancel_link")
        ernas = await self.enters("erna")
        await self.shop.cases.start_mailbox_recovery(ernas, "erna@new.example", HERE)
        self.texts["recover_mailbox"] = self.newest("recovery.prove_mailbox")
        self.hand["recovery code"] = self.code("recovery.recovery_code")

    async def _an_account_with_everything(self) -> None:
        ann = await self.shop.open_account(ANN)
        now = self.builder.clock.now()
        phone = proven(PhoneNumber.parse(TEL), now, ContactRole.NOTIFY)
        await self.builder.edit(CUSTOMERS, ann.id, _with(phone))
        session = ann.session
        self.device = SoftwareAuthenticator(entropy=ScriptedEntropy("device"))
        asked = await self.shop.passkeys.start_adding(session, HERE)
        answer = self.device.create(asked.options)
        added = await self.shop.passkeys.add_passkey(session, asked.handle, answer, "phone", HERE)
        session = await self._by_passkey()
        enrolled = await enrol_app(self.shop.factors, session, HERE, self.builder.clock)
        sms = Factor(id="sms", kind=FactorKind.SMS, created_at=now, contact=phone.id)
        await self.builder.edit(AUTHENTICATORS, ann.id, lambda own: attrs.evolve(own, factors=(*own.factors, sms)))
        self.hand |= {"account": ann.id, "app": enrolled.app, "factor": enrolled.id, "passkey": added.passkey}
        self.texts["not_me_change"] = self.newest("signin.factor_enrolled", "not_me_link")
        self.texts["freeze_account"] = self.newest("signin.factor_enrolled", "freeze_link")
        await self.opens("nina")
        there = request_from("203.0.113.9", agent="Mozilla/5.0 (Windows) Chrome/1")
        await self.shop.signin.sign_in_with_password("nina@lamp.example", PASSWORD, there)
        self.texts["not_me_sign_in"] = self.newest("signin.new_device", "not_me_link")

    async def _by_passkey(self) -> Any:
        asked = await self.shop.passkey_signin.passkey_options(HERE)
        step: Any = await self.shop.passkey_signin.sign_in_with_passkey(
            asked.handle, self.device.get(asked.options), HERE
        )
        return step.session

    async def _changes_of_addresses(self) -> None:
        """One that waits for both its mailboxes, one that is in force, an address that waits, one that is doubted."""
        for name in ("cleo", "carl", "dora", "hans", "fred"):
            await self.opens(name)
        cleos = await self.enters("cleo")
        await self.shop.contact_changes.promote_contact(cleos, "cleo@new.example", HERE)
        self.texts["change_contact_new"] = self.newest("registration.confirm_new_contact")
        carls = await self.enters("carl")
        await self.shop.contact_changes.promote_contact(carls, "carl@new.example", HERE)
        self.texts["change_contact_old"] = self.newest("registration.confirm_old_contact")
        await self.shop.contact_changes.confirm_change_new(self.newest("registration.confirm_new_contact"), carls, HERE)
        doras = await self.enters("dora")
        await self.shop.contact_changes.promote_contact(doras, "dora@new.example", HERE)
        await self.shop.contact_changes.confirm_change_new(self.newest("registration.confirm_new_contact"), doras, HERE)
        await self.shop.contact_changes.confirm_change_old(self.newest("registration.confirm_old_contact"), None, HERE)
        self.texts["undo_contact_change"] = self.newest("registration.undo_contact_change")
        hanss = await self.enters("hans")
        await self.shop.contacts.add_contact(hanss, "hans@new.example", HERE)
        self.texts["add_contact"] = self.newest("registration.add_contact")
        freds = await self.enters("fred")
        await self.shop.contacts.add_contact(freds, "fred@new.example", HERE)
        added: Any = await self.shop.contacts.confirm_added_contact(
            self.newest("registration.add_contact"), freds, HERE
        )
        fred = self.people["fred"]
        await self.shop.contact_care.note_delivery(fred, added.contact, Delivery.IMPOSSIBLE)
        await self.acting("eve").contact_care.check_contact(fred, added.contact, "she asked")
        self.texts["check_contact"] = self.newest("registration.contact_check")

    async def _what_comes_from_strangers(self) -> None:
        await self.opens("ida")
        idas = await self.enters("ida")
        await self.shop.invitations.invite(idas, "guest@lamp.example", HERE)
        self.texts["invitation"] = self.newest("registration.invitation")
        started = await self.shop.registration.register(
            RegistrationForm(identifier="gina@lamp.example", password=PASSWORD), HERE
        )
        self.texts |= {"challenge": started.handle, "verify_contact": self.newest("registration.verify_contact")}
        await self.shop.open_account(TESS)
        reset = await self.shop.recovery.request_reset(TESS, HERE, Channel.SMS)
        assert reset.handle is not None
        self.texts["reset_code"], self.hand["reset code"] = reset.handle, self.code("recovery.reset_code")
        for name in ("walt", "zoe", "karl", "lisa"):
            await self.opens(name)

    async def _what_is_short_lived(self) -> None:
        shop, texts, hand = self.shop, self.texts, self.hand
        zoes = await self.enters("zoe")
        plan = await shop.closings.plan_account_closing(zoes, HERE)
        await shop.closings.request_account_closing(zoes, plan.fingerprint, HERE)
        texts |= {"close_account": self.newest("customers.close_account"), "zoe's session": zoes}
        walts = await self.enters("walt")
        plan = await shop.closings.plan_account_closing(walts, HERE)
        await shop.closings.request_account_closing(walts, plan.fingerprint, HERE)
        await shop.closings.confirm_account_closing(walts, self.newest("customers.close_account"), HERE)
        texts["closing session"] = await self.enters("walt")
        agathe = self.people["agathe"]
        acting = await self.acting("eve").impersonation.start_impersonation(
            agathe, "she asked", ActingScope.READ_ONLY, HERE
        )
        texts["acting session"] = acting.session
        for name in ("cleo", "carl", "hans", "emil", "erna", "karl", "lisa"):
            texts[f"{name}'s session"] = await self.enters(name)
        texts["session"] = await self._by_passkey()
        await shop.recovery.request_reset(ANN, HERE)
        texts["password_reset"] = self.newest("recovery.reset_password")
        await self._codes()
        await self._ceremonies()
        await self._from_the_provider()
        step: Any = await shop.signin.sign_in_with_password("agathe@lamp.example", PASSWORD, HERE)
        hand["public id"] = step.public_id
        texts["device"] = next(cookie.value for cookie in step.set_cookies if "device" in cookie.name)

    async def _codes(self) -> None:
        shop, texts = self.shop, self.texts
        asked = await shop.code_signin.request_sign_in_link(ANN, HERE)
        texts |= {"sign_in_code": asked.handle, "sign_in_link": self.newest("signin.sign_in_code")}
        self.hand["sign_in_code"] = self.code("signin.sign_in_code")
        step: Any = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
        texts["sign_in_progress"] = step.progress
        asks = {
            "step_code for a session": shop.step_codes.send_confirmation_code(texts["session"], HERE, "sms"),
            "step_code for a second step": shop.step_codes.send_step_code(step.progress, "sms", HERE),
            "step_code at a reset": shop.recovery.send_reset_factor_code(texts["password_reset"], "sms", HERE),
            "step_code of a new factor": shop.factors.add_email_step(texts["session"], HERE),
        }
        for name, asking in asks.items():
            texts[name] = (await asking).handle
            self.hand[name] = self.code("signin.step_code")
        texts["case_code"] = (await shop.lost_factor.send_case_code(step.progress, Channel.EMAIL, HERE)).handle
        self.hand["case_code"] = self.code("recovery.factor_case_code")
        self.hand["case codes"] = [SentCodeAnswer(texts["case_code"], self.hand["case_code"])]

    async def _ceremonies(self) -> None:
        shop, texts = self.shop, self.texts
        binding = await shop.another_device.start_device_binding(texts["session"], HERE)
        asks = {
            "passkey_ceremony to sign in": shop.passkey_signin.passkey_options(HERE),
            "passkey_ceremony in a session": shop.passkey_signin.confirmation_options(texts["session"], HERE),
            "passkey_ceremony as second step": shop.passkey_signin.step_options(texts["sign_in_progress"], HERE),
            "passkey_ceremony at a reset": shop.recovery.reset_passkey_options(texts["password_reset"], HERE),
            "passkey_ceremony to make one": shop.passkeys.start_adding(texts["session"], HERE),
            "passkey_ceremony on another device": shop.another_device.start_adding(ANN, binding.code.reveal(), HERE),
        }
        for name, asking in asks.items():
            asked = await asking
            device = SoftwareAuthenticator(entropy=ScriptedEntropy(name))
            makes = "make" in name or "another" in name
            self.texts[name] = asked.handle
            self.hand[name] = device.create(asked.options) if makes else self.device.get(asked.options)
        texts["device binding"] = (await shop.another_device.start_device_binding(texts["cleo's session"], HERE)).code

    async def _from_the_provider(self) -> None:
        texts = self.texts
        browser = Browser(shop=self.shop, provider=self.provider, held=HELD)
        away = await browser.goes()
        texts["provider_state"] = Secret(away.parameters["state"])
        back = await browser.goes()
        texts["provider_exchange"] = (await browser.returns(back)).flow
        texts["id token"] = self.provider.id_token("1000", back, email="ulf@lamp.example", email_verified=True)
        offer = await browser.comes("2000", email="karl@lamp.example", email_verified=True)
        texts["link_proposal"] = offer.proposal
        texts["provider_email"] = (await browser.comes("3000")).handle
        linking = Browser(shop=self.shop, provider=self.provider, held=HELD, session=texts["lisa's session"])
        outcome = await linking.comes("4000", Intent.LINK)
        texts["lisa's session"] = linking.session
        self.hand["identity"] = outcome.identity.id
        self.builder.clock.advance(timedelta(seconds=1))
        for name in ("karl", "hans"):
            texts[f"{name}'s session"] = await self.enters(name)
        linking = Browser(shop=self.shop, provider=self.provider, held=HELD, session=texts["hans's session"])
        away = await linking.goes(Intent.LINK)
        texts["provider_exchange to link"] = (await linking.returns(away)).flow
        self.hand["linking token"] = self.provider.id_token("5000", away)
        texts["logout token"] = self.provider.logout_token("4000")
