"""Making and renewing what proves an address: a code for the browser that asked, a link for the mailbox."""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import AccountStatus, Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.codes import Challenge, code_mac, resend
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId, AttemptId
from shopaccounts.kernel.limits import counter_key
from shopaccounts.kernel.messages import Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamp, Stamps
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.tickets import Purpose, Refusals, Ticket, mint
from shopaccounts.kernel.vault import Keyring, Ring, Vault
from shopaccounts.kernel.writing import compose
from shopaccounts.registration.errors import (
    ContactLinkExpired,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
)
from shopaccounts.registration.model import ATTEMPTS, Attempt, WaitingPassword
from shopaccounts.registration.policy import RegistrationPolicy

__all__ = ["HANDLE", "VERIFY", "Verifications"]

_REFUSALS = Refusals(ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale)
HANDLE: Final = Purpose("challenge", "chl", frozenset(), _REFUSALS)
VERIFY: Final = Purpose("verify_contact", "vfy", frozenset({Stamp.ACCOUNT}), _REFUSALS)
_MINUTE: Final = timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class Verifications:
    """Makes attempts and the messages that prove them."""

    desk: Desk
    vault: Vault
    keyring: Keyring
    storefront: Storefront
    policy: RegistrationPolicy

    async def start(
        self,
        account: AccountId | None,
        email: EmailAddress,
        password: WaitingPassword | None,
        locale: str,
        return_path: str,
        now: datetime,
    ) -> tuple[Attempt, Secret[str], Message]:
        """Answer a new attempt, the handle for the browser, and the message for the mailbox.

        Without an account the attempt is a decoy: its code fits nothing, and its message isn't sent.
        """
        id = AttemptId(self.desk.entropy.new_id(now))
        handle, handle_text = self._ticket(HANDLE, id, account, self.policy.challenge_life, now)
        link, link_text = self._ticket(VERIFY, id, account, self.policy.link_life, now)
        challenge, code = await self._challenge(id, now)
        attempt = Attempt(
            id=id,
            realm=self.desk.scope.realm,
            account=account,
            contact=await self.contact_digest(email),
            email=email,
            password=password,
            challenge=challenge if account else attrs.evolve(challenge, code_mac=self.desk.entropy.raw(32)),
            handle=handle,
            link=link,
            locale=locale,
            return_path=return_path,
            started_at=now,
        )
        return attempt, handle_text, await self._message(attempt, link_text, code)

    async def renew(self, attempt: Attempt, now: datetime) -> tuple[Attempt, Message]:
        """Answer the attempt with a new code and link, and their message; the old ones are dead, the tries stay."""
        link, link_text = self._ticket(VERIFY, attempt.id, attempt.account, self.policy.link_life, now)
        fresh, code = await self._challenge(attempt.id, now)
        mac = fresh.code_mac if attempt.account else self.desk.entropy.raw(32)
        challenge = resend(attempt.challenge, mac, fresh.key_id, self.policy.code_life, now)
        renewed = attrs.evolve(attempt, link=link, challenge=challenge)
        return renewed, await self._message(renewed, link_text, code)

    async def prepare_reminder(self, customer: Customer, email: EmailAddress, attempt: Attempt | None) -> Change:
        """Answer the part of a change that mails the verification of a pending account again.

        Published for recovery: who lost the way into an account that was never proven proves it first.
        """
        now = self.desk.now()
        if customer.status is not AccountStatus.PENDING:
            return Change()
        if attempt is not None and attempt.account == customer.id:
            renewed, message = await self.renew(attempt, now)
            return Change(writes=(ATTEMPTS.change(attempt, renewed),), messages=(message,))
        locale = customer.locale or self.desk.scope.locale
        fresh, _, message = await self.start(customer.id, email, None, locale, "/", now)
        return Change(writes=(ATTEMPTS.add(fresh),), messages=(message,))

    async def contact_digest(self, email: EmailAddress) -> str:
        """Answer the keyed digest by which attempts at one address find each other."""
        key = await got(self.keyring.current(Ring.LOOKUP))
        return counter_key(key.secret, "contact", email.login_key)

    def _ticket(
        self, purpose: Purpose, attempt: AttemptId, account: AccountId | None, life: timedelta, now: datetime
    ) -> tuple[Ticket, Secret[str]]:
        return mint(
            purpose,
            realm=self.desk.scope.realm,
            subject=account or "",
            bound=attempt,
            stamps=Stamps(),
            life=life,
            now=now,
            entropy=self.desk.entropy,
        )

    async def _challenge(self, id: AttemptId, now: datetime) -> tuple[Challenge, Secret[str]]:
        code = self.policy.code_shape.draw(self.desk.entropy)
        key = await got(self.keyring.current(Ring.CODES))
        challenge = Challenge(
            id=id,
            purpose=VERIFY.name,
            code_mac=code_mac(key.secret, id, VERIFY.name, code.reveal()),
            key_id=key.id,
            shape=self.policy.code_shape,
            max_tries=self.policy.code_tries,
            issued_at=now,
            code_expires_at=now + self.policy.code_life,
            expires_at=now + self.policy.challenge_life,
        )
        return challenge, code

    async def _message(self, attempt: Attempt, link: Secret[str], code: Secret[str]) -> Message:
        minutes = str(self.policy.code_life // _MINUTE)
        return await compose(
            self.desk,
            self.vault,
            template="registration.verify_contact",
            channel=Channel.EMAIL,
            to=attempt.email.stored,
            locale=attempt.locale,
            variables=self.storefront.variables(minutes=minutes),
            secrets={"link": self.storefront.link(self.desk.scope.store, VERIFY.name, link), "code": code},
            subject=attempt.account or "",
            key=f"verify {attempt.link.selector}",
            category=MessageCategory.SECURITY,
            priority=Priority.SECURITY,
            expires_at=attempt.link.expires_at,
            deliver=attempt.account is not None,
        )
