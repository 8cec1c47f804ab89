"""What differs between shops when somebody registers."""

from datetime import timedelta

import attrs

from shopaccounts.kernel.codes import MAX_CHALLENGE_LIFE, MAX_CODE_LIFE, CodeShape
from shopaccounts.kernel.limits import Window
from shopaccounts.kernel.policy import require

__all__ = ["RegistrationPolicy"]

MAX_TRIES = 10
_MINUTE = timedelta(minutes=1)
MAX_LINK_LIFE = timedelta(hours=24)


@attrs.frozen(kw_only=True)
class RegistrationPolicy:
    """How registration goes in this shop.

    Why these defaults:
        code_shape, code_life, code_tries: six digits, 10 minutes, 5 tries. [NIST SP 800-63B-4 3.1.3.2; ASVS 6.5]
        link_life: 24 hours, as NIST 4.2.1.2 allows for codes sent to an address.
        challenge_life: 30 minutes for all codes of one attempt together; of the house.
        attempts_per_network: 20 an hour; of the house. [ASVS 2.4.1]
    """

    code_shape: CodeShape = CodeShape()
    code_life: timedelta = timedelta(minutes=10)
    code_tries: int = 5
    link_life: timedelta = timedelta(hours=24)
    challenge_life: timedelta = timedelta(minutes=30)
    attempts_per_network: Window = Window(limit=20, per=timedelta(hours=1))

    def __attrs_post_init__(self) -> None:
        require(timedelta(0) < self.code_life <= MAX_CODE_LIFE, "a code lives at most 10 minutes [NIST 3.1.3.2]")
        require(self.code_life <= self.challenge_life <= MAX_CHALLENGE_LIFE, "a challenge lives at most 30 minutes")
        require(self.code_life % _MINUTE == timedelta(0), "a code lives whole minutes, as its message says")
        require(1 <= self.code_tries <= MAX_TRIES, f"a code allows 1 to {MAX_TRIES} tries")
        require(timedelta(0) < self.link_life <= MAX_LINK_LIFE, "a link lives at most 24 hours [NIST 4.2.1.2]")
