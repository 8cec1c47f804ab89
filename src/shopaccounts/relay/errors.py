"""How this context says no."""

import attrs

from shopaccounts.kernel.errors import Kind, Rejected

__all__ = ["BadMessage", "DeadLetterUnknown", "TemplateUnknown"]


@attrs.frozen
class BadMessage(Rejected):
    """A message can't be put together.

    ``part`` names the header, part or variable; ``reason`` is ``line_break``, ``missing_variable``, ``no_text``,
    ``broken_template`` or ``address``.
    """

    code = "relay.bad_message"
    kind = Kind.INVALID
    part: str
    reason: str


@attrs.frozen
class TemplateUnknown(Rejected):
    """There is no text of this name."""

    code = "relay.template_unknown"
    kind = Kind.INVALID
    template: str


@attrs.frozen
class DeadLetterUnknown(Rejected):
    """No delivery with this id lies in the box of dead letters."""

    code = "relay.dead_letter_unknown"
    kind = Kind.NOT_FOUND
    delivery: str
