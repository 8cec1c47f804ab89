"""What customers may do with a subscription that is on trial or not paid."""

import attrs

__all__ = ["OperationPolicy"]


@attrs.frozen(kw_only=True)
class OperationPolicy:
    """What a shop allows beyond what every shop allows.

    Args:
        pause_in_trial: Whether a trial can be paused.
        change_past_due: Whether plan, quantities, add-ons and frequency can be changed while an invoice is overdue.
        pause_past_due: Whether a subscription can be paused meanwhile.
        skip_past_due: Whether its cycles can be left out, moved or filled differently meanwhile.

    Why these defaults:
        pause_in_trial: no, of the house: a pause would make the trial longer.
        change_past_due, pause_past_due, skip_past_due: no, of the house: who owes pays first, and nobody pauses or
            skips to get away from a bill.
    """

    pause_in_trial: bool = False
    change_past_due: bool = False
    pause_past_due: bool = False
    skip_past_due: bool = False
