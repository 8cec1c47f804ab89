"""Taking a new password, wherever one is chosen: at registration, after a reset, when it is changed or set first.

It is held to every rule of the shop, the earlier ones that the shop remembers among them. Only if nothing else is wrong
with it, the list of leaked passwords is asked; what is asked depends on the password alone and never on whose it is.
If the list doesn't answer, the shop's policy says whether the password is taken for now, marked as unchecked, or not.
[NIST SP 800-63B-4 3.1.1.2; OWASP ASVS 6.2.12]
"""

from collections.abc import Iterable

import attrs

from shopaccounts.customers import Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.contact import EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import TryLater
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.passwords.breach_check import Breaches
from shopaccounts.passwords.breaches import Seen, Unchecked
from shopaccounts.passwords.context_words import PersonalWords, ShopWords
from shopaccounts.passwords.errors import PasswordUnacceptable
from shopaccounts.passwords.judging import Acceptable, PasswordContext, Unacceptable, breached, judge
from shopaccounts.passwords.keeping import NewPassword
from shopaccounts.passwords.model import PasswordRecord, StoredHash
from shopaccounts.passwords.policy import OnOutage, PasswordPolicy
from shopaccounts.passwords.ports import Hasher
from shopaccounts.passwords.preparing import Prepared, prepare

__all__ = ["Chooser", "Chosen", "words_of"]


@attrs.frozen(kw_only=True)
class Chosen:
    """A password that will do.

    Args:
        prepared: The password.
        verdict: What was found out about it.
        breach_unchecked: The list of leaked passwords didn't answer.
    """

    prepared: Prepared
    verdict: Acceptable
    breach_unchecked: bool = False


@attrs.frozen(kw_only=True)
class Chooser:
    """Says whether a new password will do, and hashes it for its owner.

    Args:
        hasher: Compares with earlier passwords, and hashes the new one.
        storefront: Whose names are no part of a good password.
        policy: What a good password is in this shop.
        breaches: The list of leaked passwords; None asks nobody.
    """

    hasher: Hasher
    storefront: Storefront
    policy: PasswordPolicy
    breaches: Breaches | None = None

    async def choose(
        self,
        raw: object,
        person: PersonalWords,
        was: PasswordRecord | None = None,
        can_reach: Level = Level.SINGLE,
    ) -> Chosen:
        """Judge what was typed.

        Args:
            raw: Text, or ``Secret`` of it.
            person: What is known of who chooses.
            was: The password that it is to replace.
            can_reach: What a sign-in with it reaches; where a second factor is asked for, it may be shorter.

        Raises:
            InvalidInput: It isn't text, or no password can be that long.
            PasswordUnacceptable: It won't do, with every reason.
            TryLater: The hasher is not available; or the list of leaked passwords isn't, and the policy says to wait.
        """
        candidate = prepare(raw)
        about = PasswordContext(
            shop=ShopWords(names=(self.storefront.name,), domains=self.storefront.domains),
            person=person,
            can_reach=can_reach,
            is_current=was is not None and await self._is_one_of((was.hash,), candidate, was.id),
            was_used_before=was is not None and await self._is_one_of(was.earlier, candidate, was.id),
        )
        verdict = judge(candidate, about, self.policy)
        if isinstance(verdict, Unacceptable):
            raise PasswordUnacceptable(verdict.findings)
        return Chosen(prepared=candidate, verdict=verdict, breach_unchecked=await self._is_unchecked(candidate))

    async def hash(self, chosen: Chosen, owner: str) -> NewPassword:
        """Hash a password for the account that it is for.

        Raises:
            TryLater: The hasher is not available.
        """
        return NewPassword(
            stored=await got(self.hasher.hash(chosen.prepared, owner)),
            meets_single_factor_minimum=chosen.verdict.meets_single_factor_minimum,
            breach_unchecked=chosen.breach_unchecked,
            guidance=chosen.verdict.guidance,
        )

    async def _is_one_of(self, hashes: Iterable[str], candidate: Prepared, owner: str) -> bool:
        attempt = candidate if len(candidate) else None
        for text in hashes:
            if (await got(self.hasher.verify(StoredHash(text), attempt, owner))).ok:
                return True
        return False

    async def _is_unchecked(self, candidate: Prepared) -> bool:
        if self.breaches is None:
            return False
        verdict = await self.breaches.seen(candidate)
        if isinstance(verdict, Seen):
            raise PasswordUnacceptable((breached(verdict.count),))
        if isinstance(verdict, Unchecked) and self.breaches.policy.on_outage is OnOutage.REFUSE:
            raise TryLater
        return isinstance(verdict, Unchecked)


def words_of(customer: Customer) -> PersonalWords:
    """Answer what is known of a customer that a stranger would try first."""
    values = [contact.value for contact in customer.contacts]
    return PersonalWords(
        emails=tuple(value.login_key for value in values if isinstance(value, EmailAddress)),
        phones=tuple(value.e164 for value in values if isinstance(value, PhoneNumber)),
        user_name=customer.username.name if customer.username else "",
    )
