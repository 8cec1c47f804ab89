"""Pausing, leaving out, moving and filling single cycles."""

from shopaccounts.subscriptions.pausing.cycle_content import CycleContent, content_of, edit_cycle
from shopaccounts.subscriptions.pausing.overrides import cut_off_of_cycle, skip_cycle, unskip_cycle
from shopaccounts.subscriptions.pausing.pauses import PauseWish, pause, undo_pause
from shopaccounts.subscriptions.pausing.rescheduling import reschedule_cycle
from shopaccounts.subscriptions.pausing.resuming import resume

__all__ = [
    "CycleContent",
    "PauseWish",
    "content_of",
    "cut_off_of_cycle",
    "edit_cycle",
    "pause",
    "reschedule_cycle",
    "resume",
    "skip_cycle",
    "undo_pause",
    "unskip_cycle",
]
