"""Draw the life of a customer record from its table, as a picture for the docs."""

from collections import defaultdict

from pictures import CONTEXTS, keep
from shopaccounts.customers import TRANSITIONS, AccountStatus, Trigger
from state_pictures import StatePicture

PICTURE = CONTEXTS / "customer-statuses.svg"
PLACES: dict[AccountStatus, tuple[float, float]] = {
    AccountStatus.GUEST: (90, 60),
    AccountStatus.PENDING: (330, 60),
    AccountStatus.ACTIVE: (570, 60),
    AccountStatus.SUSPENDED: (810, 190),
    AccountStatus.CLOSING: (570, 300),
    AccountStatus.CLOSED: (330, 300),
    AccountStatus.MERGED: (810, 400),
    AccountStatus.ERASED: (90, 400),
}
QUIET = {Trigger.ERASE, Trigger.MERGE, Trigger.UNMERGE}
"""Steps that lead from almost everywhere to one place: drawn thinly, and named below the picture."""
Pair = tuple[AccountStatus, AccountStatus]


def edges() -> dict[Pair, list[str]]:
    """Answer the steps between each two statuses; a way back leads to wherever its stop can come from."""
    found: defaultdict[Pair, list[str]] = defaultdict(list)
    for (source, trigger), target in TRANSITIONS.items():
        starts = [start for (start, _), end in TRANSITIONS.items() if end is source]
        for end in [target] if target else sorted(set(starts), key=list(AccountStatus).index):
            found[source, end].append(trigger.value)
    return found


def picture() -> StatePicture:
    """Answer the picture."""
    return StatePicture(
        path=PICTURE,
        title="The statuses of a customer record",
        width=900,
        height=460,
        places={status.value: place for status, place in PLACES.items()},
        steps={(source.value, target.value): names for (source, target), names in edges().items()},
        quiet=frozenset(trigger.value for trigger in QUIET),
        note="thin: erase, merge and unmerge",
    )


def drawing() -> str:
    """Answer the picture as SVG."""
    return picture().drawing()


if __name__ == "__main__":
    keep(picture())
