"""Shops for tests that reach phones: by text message and by call, to numbers of every plan."""

import io
from typing import Any

from shopaccounts.adapters.phone import PlannedPhones
from shopaccounts.adapters.sms import ConsoleCourier
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import PhonePolicy
from shopaccounts.testing.builders import ShopBuilder, quick_policies

__all__ = ["with_phones"]


def with_phones(host: str, **policies: Any) -> ShopBuilder:
    """Answer a builder of shops in Germany that reach phones.

    Args:
        host: ``BLOCKING`` or ``ASYNC``.
        policies: As ``quick_policies`` has them.
    """
    return ShopBuilder(
        host=host,
        couriers=dict.fromkeys((Channel.SMS, Channel.VOICE), ConsoleCourier(io.StringIO())),
        ports={"phone_rules": PlannedPhones()},
        policies=quick_policies(**{"phones": PhonePolicy(default_country="DE"), **policies}),
    )
