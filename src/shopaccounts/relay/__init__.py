"""Handing on what happened: mails go out, and whoever must hear of it hears of it.

What a change causes is recorded with the change: events and messages. The relay hands them on afterwards, at least
once, in order for each customer, even if a server dies in between. What can't be delivered lies in a box that a person
can open. A message is ended and wiped in one step: address, secrets and variables leave the database when it was said.
"""

from shopaccounts.kernel.writing import MessagePolicy, compose
from shopaccounts.relay.errors import BadMessage, DeadLetterUnknown, TemplateUnknown
from shopaccounts.relay.events import (
    CourierRefusedLogin,
    DeliveryDied,
    MessageBounced,
    MessageDelivered,
    MessageDropped,
    MessageExpired,
)
from shopaccounts.relay.model import (
    DELIVERIES,
    LOGIN_REFUSED,
    Accepted,
    Ack,
    CourierAnswer,
    Dead,
    Delivered,
    Delivery,
    DeliveryState,
    PermanentFailure,
    Refusal,
    RelayStatus,
    Rendered,
    Retry,
    TargetAnswer,
    TargetStatus,
    TemporaryFailure,
    Wording,
)
from shopaccounts.relay.policy import MailPolicy, OnDead, RelayPolicy, SmsPolicy, TargetPolicy
from shopaccounts.relay.ports import Courier, Target, Templates
from shopaccounts.relay.rules import handled_once
from shopaccounts.relay.schedules import DEFAULT, delay_before, next_attempt_at
from shopaccounts.relay.short_texts import SmsEncoding, SmsParts, sms_parts
from shopaccounts.relay.usecases import Relay

__all__ = [
    "DEFAULT",
    "DELIVERIES",
    "LOGIN_REFUSED",
    "Accepted",
    "Ack",
    "BadMessage",
    "Courier",
    "CourierAnswer",
    "CourierRefusedLogin",
    "Dead",
    "DeadLetterUnknown",
    "Delivered",
    "Delivery",
    "DeliveryDied",
    "DeliveryState",
    "MailPolicy",
    "MessageBounced",
    "MessageDelivered",
    "MessageDropped",
    "MessageExpired",
    "MessagePolicy",
    "OnDead",
    "PermanentFailure",
    "Refusal",
    "Relay",
    "RelayPolicy",
    "RelayStatus",
    "Rendered",
    "Retry",
    "SmsEncoding",
    "SmsParts",
    "SmsPolicy",
    "Target",
    "TargetAnswer",
    "TargetPolicy",
    "TargetStatus",
    "TemplateUnknown",
    "Templates",
    "TemporaryFailure",
    "Wording",
    "compose",
    "delay_before",
    "handled_once",
    "next_attempt_at",
    "sms_parts",
]
