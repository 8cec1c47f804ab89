"""Writing a message: what every context does when somebody is to be told something.

The rules, in plain English:

* Address and secrets are sealed together, for this one message; what is not secret lies open until the message ends.
* A secret variable is never a plain one as well.
* A message that must not go out is written all the same, and differs from the others by one flag.
* It ends with what it says: a reset link is not mailed after it has expired. Without a secret it lives as long as its
  category allows.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Defect, InvalidInput
from shopaccounts.kernel.ids import MessageId, StoreId
from shopaccounts.kernel.messages import Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import require_locale, require_text
from shopaccounts.kernel.vault import Ring, SealContext, Vault

__all__ = ["MESSAGE_KIND", "MessagePolicy", "compose", "message_id", "read_sealed", "seal_context"]

MESSAGE_KIND: Final = "message"
_TEMPLATE: Final = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")


@attrs.frozen(kw_only=True)
class MessagePolicy:
    """How long a message may wait for its delivery.

    Args:
        security: Security messages without a secret of their own.
        transactional: Transactional and legal messages.
        marketing: Marketing messages.

    Why these defaults:
        security: a security notice of yesterday frightens more than it helps; of the house.
        transactional: a mail server that is down over a weekend must not lose an order confirmation; of the house.
        marketing: of the house.
    """

    security: timedelta = timedelta(hours=1)
    transactional: timedelta = timedelta(days=3)
    marketing: timedelta = timedelta(days=1)

    def __attrs_post_init__(self) -> None:
        shortest = min(self.security, self.transactional, self.marketing)
        require(shortest > timedelta(0), "a message lives for some time")

    def expires_at(self, category: MessageCategory, now: datetime, secret_until: datetime | None = None) -> datetime:
        """Answer until when a message is worth sending: its secret's own end of life where it has one."""
        if secret_until is not None:
            return secret_until
        lives = {MessageCategory.SECURITY: self.security, MessageCategory.MARKETING: self.marketing}
        return now + lives.get(category, self.transactional)


def message_id(store: StoreId, key: str) -> MessageId:
    """Answer the id of the one message that a cause may have in a store."""
    return MessageId(hashlib.sha256(f"{store}\0{key}".encode()).hexdigest()[:32])


def seal_context(message_id: str, realm: str) -> SealContext:
    """Answer the place that a message's sealed part belongs to."""
    return SealContext(ring=Ring.OUTBOX, realm=realm, kind=MESSAGE_KIND, id=message_id, field="sealed")


async def compose(
    desk: Desk,
    vault: Vault,
    *,
    template: str,
    channel: Channel,
    to: str,
    locale: str,
    variables: Mapping[str, str],
    secrets: Mapping[str, Secret[str]],
    subject: str,
    key: str,
    category: MessageCategory,
    priority: Priority,
    expires_at: datetime,
    deliver: bool = True,
) -> Message:
    """Write a message, to be recorded with the change that causes it.

    Args:
        desk: For whom, when, and the dice.
        vault: Seals the address and the secrets.
        template: Which text, as ``context.situation``.
        channel: By which way it goes out.
        to: The address or number, for the sealed part only.
        locale: The language that the person reads.
        variables: Plain values for the text.
        secrets: Values for the text that nobody else may see: links with tickets, codes.
        subject: The customer it is about, empty for strangers.
        key: Natural key of the cause; a second message with it is refused by the store.
        category: Why it is sent.
        priority: What goes first when much is waiting.
        expires_at: From then on it is not sent.
        deliver: False for a decoy.

    Raises:
        InvalidInput: An address, locale or variable that no message can hold.
        Defect: A template name that is none, or one variable that is plain and secret.
    """
    _check_names(template, variables, secrets)
    _check_texts(to, locale, variables)
    now = desk.now()
    id = message_id(desk.scope.store, key)
    hidden = {"to": to, "secrets": {name: secret.reveal() for name, secret in secrets.items()}}
    plain = Secret(json.dumps(hidden, sort_keys=True, separators=(",", ":")).encode())
    return Message(
        id=id,
        realm=desk.scope.realm,
        store=desk.scope.store,
        template=template,
        channel=channel,
        locale=locale,
        category=category,
        priority=priority,
        subject=subject,
        sealed=await got(vault.seal(plain, seal_context(id, desk.scope.realm))),
        variables=dict(variables),
        deliver=deliver,
        created_at=now,
        due_at=now,
        expires_at=expires_at,
        idempotency_key=key,
    )


def read_sealed(plain: Secret[bytes]) -> tuple[Secret[str], dict[str, str]]:
    """Answer the address and the secret variables that ``compose`` sealed.

    Raises:
        Defect: The text is not what ``compose`` writes.
    """
    try:
        hidden = json.loads(plain.reveal())
        to, secrets = hidden["to"], dict(hidden["secrets"])
    except (ValueError, KeyError, TypeError):
        msg = "the sealed part of a message can't be read"
        raise Defect(msg) from None
    return Secret(to), secrets


def _check_names(template: str, variables: Mapping[str, str], secrets: Mapping[str, Secret[str]]) -> None:
    if not _TEMPLATE.fullmatch(template):
        msg = f"{template!r} is no template's name"
        raise Defect(msg)
    if both := variables.keys() & secrets.keys():
        msg = f"{template} has {', '.join(sorted(both))} both plain and secret"
        raise Defect(msg)


def _check_texts(to: str, locale: str, variables: Mapping[str, str]) -> None:
    require_text(to, "to", cap=320)
    require_locale(locale)
    for name, value in variables.items():
        if not isinstance(value, str):
            raise InvalidInput(name, "type")
