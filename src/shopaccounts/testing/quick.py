"""What holds up no test: hashes at no cost, words without templates, and policies with both."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shopaccounts.adapters.argon2 import Argon2Hasher
from shopaccounts.kernel.limits import MAX_WINDOW, Window
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.sending import SendPolicy
from shopaccounts.passwords import Argon2Profile, PasswordPolicy
from shopaccounts.relay import Wording
from shopaccounts.settings import Policies

__all__ = ["PlainTemplates", "QuickHasher", "quick_policies", "without_gaps"]


class QuickHasher(Argon2Hasher):
    """Real hashes that cost next to nothing, so they hold up nobody."""

    holds_up_the_loop = False


class PlainTemplates:
    """Words for tests: a message's name, and its variables one a line."""

    def render(
        self, template: str, locale: str, variables: Mapping[str, str], channel: Channel = Channel.EMAIL
    ) -> Wording:
        """Word one message; a phone gets no subject."""
        text = "\n".join(f"{name}: {value}" for name, value in sorted(variables.items()))
        return Wording(subject=template if channel is Channel.EMAIL else "", text=text, locale=locale)


def quick_policies(**policies: Any) -> Policies:
    """Answer policies whose passwords are hashed at no cost."""
    return Policies(**{"passwords": PasswordPolicy(hashing=Argon2Profile.tests_only()), **policies})


def without_gaps() -> SendPolicy:
    """Answer a policy that lets as many messages out at once as any policy can."""
    wide = Window(limit=MAX_WINDOW, per=timedelta(hours=1))
    return SendPolicy(
        mailbox_hourly=wide, mailbox_daily=wide, phone_hourly=wide, phone_daily=wide,
        network_hourly=wide, kept_for_owner=0,
    )  # fmt: skip
