"""Asking the list of leaked passwords: one request for each check, and an answer whatever happens."""

import logging
from collections.abc import Sequence

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Defect
from shopaccounts.passwords.breaches import BreachVerdict, Outage, Unchecked, fingerprint, seen_in
from shopaccounts.passwords.policy import BreachPolicy
from shopaccounts.passwords.ports import BreachedPasswords
from shopaccounts.passwords.preparing import Prepared

__all__ = ["Breaches"]

log = logging.getLogger("shopaccounts.passwords")


@attrs.frozen
class Breaches:
    """What a shop finds out about leaked passwords.

    Args:
        listed: Who is asked.
        policy: From which count on a password is refused.
    """

    listed: BreachedPasswords
    policy: BreachPolicy

    async def seen(self, password: Prepared) -> BreachVerdict:
        """Tell whether *password* was seen in leaked data; ``Unchecked`` if nobody could say."""
        prefix, suffix = fingerprint(password)
        try:
            answer: Sequence[tuple[str, int]] | Outage = await got(self.listed.range(prefix))
        except Defect:
            raise
        except Exception as failure:  # noqa: BLE001  (an adapter that breaks its promise opens nothing and stops nobody)
            log.warning("the list of leaked passwords failed: %s", type(failure).__name__)
            return Unchecked()
        return seen_in(answer, suffix, self.policy.min_count)
