"""Draw the life of a customer record from its table, as a picture for the docs.

``--check`` writes nothing and fails if the picture is out of date.
"""

import math
import sys
from collections import defaultdict
from pathlib import Path

from shopaccounts.customers import TRANSITIONS, AccountStatus, Trigger

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "contexts" / "customer-statuses.svg"
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
WIDTH, HEIGHT, HALF_WIDTH, HALF_HEIGHT = 900, 460, 58, 18
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


def drawing() -> str:
    """Answer the picture."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for (source, target), triggers in edges().items():
        lines += _arrow(source, target, triggers)
    lines += [part for status in PLACES for part in _node(status)]
    return "\n".join([*lines, _words(WIDTH / 2, HEIGHT - 10, "thin: erase, merge and unmerge", 12), "</svg>\n"])


def _arrow(source: AccountStatus, target: AccountStatus, triggers: list[str]) -> list[str]:
    (ax, ay), (bx, by) = PLACES[source], PLACES[target]
    if source is target:
        loop = f'<path d="M{ax - 20},{ay - HALF_HEIGHT} c-10,-34 50,-34 40,0" {_stroke("#555")}/>'
        return [loop, _words(ax, ay - HALF_HEIGHT - 29, ", ".join(triggers), 11)]
    length = math.hypot(bx - ax, by - ay)
    aside_x, aside_y = (by - ay) / length * 9, (ax - bx) / length * 9  # there and back lie side by side
    ax, ay, bx, by = ax + aside_x, ay + aside_y, bx + aside_x, by + aside_y
    start, end = _border(ax, ay, bx, by), _border(bx, by, ax, ay)
    quiet = {trigger.value for trigger in QUIET} >= set(triggers)
    line = (
        f'<path d="M{start[0]:.0f},{start[1]:.0f} L{end[0]:.0f},{end[1]:.0f}" {_stroke("#ccc" if quiet else "#555")}/>'
    )
    named = [trigger for trigger in triggers if trigger not in {one.value for one in QUIET}]
    middle = ((start[0] * 3 + end[0] * 2) / 5 + aside_x, (start[1] * 3 + end[1] * 2) / 5 + aside_y)
    return [line, *([_words(*middle, ", ".join(named), 11)] if named else [])]


def _border(x: float, y: float, to_x: float, to_y: float) -> tuple[float, float]:
    """Answer where the line to another point leaves the box around (x, y)."""
    across = HALF_WIDTH / abs(to_x - x) if to_x != x else math.inf
    along = HALF_HEIGHT / abs(to_y - y) if to_y != y else math.inf
    share = min(across, along)
    return x + (to_x - x) * share, y + (to_y - y) * share


def _node(status: AccountStatus) -> list[str]:
    x, y = PLACES[status]
    box = (
        f'<rect x="{x - HALF_WIDTH}" y="{y - HALF_HEIGHT}" width="{2 * HALF_WIDTH}" height="{2 * HALF_HEIGHT}" rx="9"'
        ' fill="#eef4fb" stroke="#2d5f8b"/>'
    )
    return [box, _words(x, y + 5, status.value, 14)]


def _words(x: float, y: float, text: str, size: int) -> str:
    halo = 'paint-order="stroke" stroke="#fff" stroke-width="3"'
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="middle" font-size="{size}" fill="#1a1a1a" {halo}>{text}</text>'


def _stroke(colour: str) -> str:
    return f'fill="none" stroke="{colour}" marker-end="url(#tip)"'


def main() -> int:
    """Write the picture, or tell whether it is fresh."""
    wanted = drawing()
    if "--check" in sys.argv[1:]:
        return 0 if PICTURE.exists() and PICTURE.read_text("utf-8") == wanted else 1
    PICTURE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
