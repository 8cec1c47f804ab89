"""What a change of plan, quantity or content costs, and when it takes effect."""

from enum import Enum

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["ChangePolicy", "CreditForm", "NewInterval", "Preset"]


class Preset(Enum):
    """How a change is priced, and when: the eight ways that fit together."""

    PRORATE_NOW = "prorate_now"
    PRORATE_NEXT = "prorate_next"
    RESET_CREDIT = "reset_credit"
    RESET_FORFEIT = "reset_forfeit"
    DIFFERENCE = "difference"
    TIME_CONVERSION = "time_conversion"
    NO_MONEY = "no_money"
    AT_PERIOD_END = "at_period_end"


class CreditForm(Enum):
    """Whether what is taken back stands as a line on the new invoice, or as a credit note against the old one."""

    LINES = "lines"
    CREDIT_NOTE = "credit_note"


class NewInterval(Enum):
    """Where cycles of another length begin that come at the end of a period: on the old billing day, or there."""

    KEEP = "keep"
    RESET = "reset"


@attrs.frozen(kw_only=True)
class ChangePolicy:
    """How a change is priced, by what it does to the price.

    Args:
        upgrade: To something dearer at the same frequency.
        upgrade_with_frequency: To something dearer with another frequency.
        downgrade: To something cheaper.
        sideways: To something of the same price.
        more: More of the same.
        less: Less of the same.
        swap: Another product at the same price.
        new_interval: Where cycles of another length begin that come at the end of a period.
        credit_form: How what is taken back is written.
        max_changes_per_day: How many changes a customer may make in a day.
        conversion_every_days: How many days lie between two conversions of time at least.

    Why these defaults:
        upgrade, upgrade_with_frequency, downgrade: now and at the end of the period, as Lago does it.
        sideways, more, less, swap: nobody pays for what they already have; of the house.
        new_interval: RESET, of the house: who changes to a year pays for a year.
        credit_form: LINES, as Kill Bill and Stripe do it.
        max_changes_per_day: 10, of the house.
        conversion_every_days: 30, of the house: rounding up to a day must not pay.
    """

    upgrade: Preset = Preset.PRORATE_NOW
    upgrade_with_frequency: Preset = Preset.RESET_CREDIT
    downgrade: Preset = Preset.AT_PERIOD_END
    sideways: Preset = Preset.AT_PERIOD_END
    more: Preset = Preset.PRORATE_NOW
    less: Preset = Preset.AT_PERIOD_END
    swap: Preset = Preset.NO_MONEY
    new_interval: NewInterval = NewInterval.RESET
    credit_form: CreditForm = CreditForm.LINES
    max_changes_per_day: int = 10
    conversion_every_days: int = 30

    def __attrs_post_init__(self) -> None:
        ways = (
            self.upgrade,
            self.upgrade_with_frequency,
            self.downgrade,
            self.sideways,
            self.more,
            self.less,
            self.swap,
        )
        require(all(isinstance(way, Preset) for way in ways), "a change is priced in one of eight ways")
        require(self.max_changes_per_day >= 1, "a customer may change something")
        require(self.conversion_every_days >= 1, "time isn't turned over and over again")
