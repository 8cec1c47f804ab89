"""How customers get in by what the shop sends them, and how long that is good for."""

from collections.abc import Collection
from datetime import timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.assurance import WayIn
from shopaccounts.kernel.codes import MAX_CHALLENGE_LIFE, MAX_CODE_LIFE, CodeShape
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.policy import require

__all__ = ["CodeSignInPolicy", "CodeWay", "SameBrowser"]

_MOST_TRIES: Final = 10
_NO_TIME: Final = timedelta(0)
_MINUTE: Final = timedelta(minutes=1)


class CodeWay(Enum):
    """By what somebody may get in."""

    EMAIL_CODE = "email_code"
    EMAIL_LINK = "email_link"
    SMS_CODE = "sms_code"
    VOICE = "voice"


class SameBrowser(Enum):
    """What happens to a link that is opened in another browser than the one that asked.

    Args:
        REFUSE: It signs nobody in there; the page shows the code, to be typed where the sign-in began.
        CONFIRM: It does, after a page has told when, where and on which device it was asked for.
    """

    REFUSE = "refuse"
    CONFIRM = "confirm"


_BY_PHONE: Final = {CodeWay.SMS_CODE: Channel.SMS, CodeWay.VOICE: Channel.VOICE}


@attrs.frozen(kw_only=True)
class CodeSignInPolicy:
    """Signing in by codes and links.

    Args:
        ways: What may open an account by itself; what isn't in it is refused alike to everybody.
        same_browser: What becomes of links in other browsers.
        shape: What codes look like.
        code_life: How long a code works.
        link_life: How long a link works.
        challenge_life: How long another code may be asked for with the same handle.
        tries: How many answers a code takes.
        waits: How long an account makes wait between guesses at its codes.

    Why these defaults:
        ways: everything that can be sent. A message with a link carries the code as well, which is what goes on where
            the sign-in began. Nothing of it counts as a second factor but a code to a phone. [NIST SP 800-63B-4
            3.1.3.1 and OWASP ASVS 6.3.6 want no mailboxes: shops that follow them take them out]
        same_browser: refuse, so that a link that was forwarded, or asked for by somebody else, opens nothing.
            [OWASP ASVS 6.6.2]
        shape, code_life: six digits, ten minutes. [NIST SP 800-63B-4 3.1.3.2; OWASP ASVS 6.5.4, 6.5.5]
        link_life: as long as the code that comes with it; of the house.
        challenge_life: 30 minutes, for messages that come late; of the house.
        tries: 5; with the waits of the account, whoever guesses at six digits all day long hits less than once in
            25,000 days. [OWASP ASVS 6.6.3]
        waits: five tries free, then 30 s doubling to 1 h. [NIST SP 800-63B-4 3.2.2]
    """

    ways: frozenset[CodeWay] = frozenset(CodeWay)
    same_browser: SameBrowser = SameBrowser.REFUSE
    shape: CodeShape = attrs.field(factory=CodeShape)
    code_life: timedelta = MAX_CODE_LIFE
    link_life: timedelta = MAX_CODE_LIFE
    challenge_life: timedelta = MAX_CHALLENGE_LIFE
    tries: int = 5
    waits: Wait = Wait(free=5, base=timedelta(seconds=30), cap=timedelta(hours=1), forget_after=timedelta(hours=24))

    def __attrs_post_init__(self) -> None:
        require(_NO_TIME < self.code_life <= MAX_CODE_LIFE, "a code lives 10 minutes at most [NIST 3.1.3.2]")
        in_time = self.code_life <= self.challenge_life <= MAX_CHALLENGE_LIFE
        require(in_time, "another code may be asked for while the first one works, and for 30 minutes at most")
        require(_NO_TIME < self.link_life <= self.challenge_life, "a link ends with what it belongs to")
        whole = self.code_life % _MINUTE == self.link_life % _MINUTE == _NO_TIME
        require(whole, "codes and links live whole minutes, as their message says")
        require(1 <= self.tries <= _MOST_TRIES, f"a code takes 1 to {_MOST_TRIES} answers [ASVS 6.6.3]")

    def ways_in(self, by_phone: Collection[Channel]) -> frozenset[WayIn]:
        """Answer the ways into an account that this comes to, in a shop that can reach phones *by_phone*."""
        phones = {WayIn.SMS for way, channel in _BY_PHONE.items() if way in self.ways and channel in by_phone}
        return frozenset(phones | {WayIn.EMAIL for _ in self.ways - _BY_PHONE.keys()})
