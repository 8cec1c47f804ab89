"""What a benchmark found, as a table to read and a plot to look at."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs

from benchmarks.measuring import best_line

__all__ = ["Curve", "Reach", "Report", "Row", "as_markdown", "as_plot", "as_text", "counted"]

UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@attrs.frozen
class Reach:
    """How far a ratio may go: ours divided by the other is at most *most*, so 1/3 says three times as fast."""

    most: float

    @classmethod
    def faster(cls, times: float) -> "Reach":
        """Ours is to be at least so many times as fast."""
        return cls(1 / times)

    def __str__(self) -> str:
        return f"≤ {self.most:g}x" if self.most >= 1 else f"≥ {1 / self.most:g}x faster"


@attrs.frozen(kw_only=True)
class Row:
    """Ours beside one other.

    Args:
        case: What was done.
        ours: Seconds, or a number of what *counted* says.
        other: The same for the other, None if there is none.
        beside: Who the other is.
        reach: What the ratio is to reach, if anything.
        at_most: What *ours* itself is to reach, if anything.
        counted: The word for one of what is counted; empty where the figures are seconds.
    """

    case: str
    ours: float
    other: float | None = None
    beside: str = ""
    reach: Reach | None = None
    at_most: float | None = None
    counted: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the other."""
        return self.ours / self.other if self.other else None

    @property
    def target(self) -> str:
        """What is to be reached, in words."""
        if self.reach:
            return str(self.reach)
        return f"≤ {self.show(self.at_most)}" if self.at_most is not None else ""

    @property
    def verdict(self) -> str:
        """Whether it was reached."""
        if self.reach and self.ratio is not None:
            return "yes" if self.ratio <= self.reach.most else "**no**"
        if self.at_most is not None:
            return "yes" if self.ours <= self.at_most else "**no**"
        return ""

    def show(self, figure: float | None) -> str:
        """Write a figure with its unit."""
        if figure is None:
            return ""
        return counted(int(figure), self.counted) if self.counted else duration(figure)

    def cells(self) -> tuple[str, ...]:
        """Answer the row as texts."""
        ratio = "" if self.ratio is None else _ratio(self.ratio)
        return (self.case, self.show(self.ours), self.beside, self.show(self.other), ratio, self.target, self.verdict)


@attrs.frozen
class Curve:
    """What something costs as the work grows: seconds at each size."""

    name: str
    points: tuple[tuple[float, float], ...]

    @property
    def growth(self) -> str:
        """The line of best fit, in words."""
        line = best_line(*zip(*self.points, strict=True))
        sign = "+" if line.slope >= 0 else "-"
        return f"{duration(line.at_zero)} {sign} {duration(abs(line.slope))} for each"


@attrs.frozen(kw_only=True)
class Report:
    """The findings of one benchmark.

    Args:
        name: What it is called on the command line.
        title: What it is about.
        rows: Ours beside others.
        curves: How the cost grows.
        size: What is counted along the plot.
        notes: What a reader has to know.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...] = ()
    size: str = ""
    notes: tuple[str, ...] = ()


STEPS: Final = 50
"""How many pieces a line of best fit is drawn in; where sizes grow by more than that, their axis is logarithmic."""
HEAD: Final = ("Case", "Ours", "Beside", "Theirs", "Ratio", "Target", "Reached")


def as_text(report: Report) -> str:
    """Write a report for the terminal."""
    rows = [HEAD, *(tuple(cell.replace("*", "") for cell in row.cells()) for row in report.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join([f"\n{report.title}", *lines, *_growths(report), *report.notes])


def as_markdown(report: Report, made_with: str) -> str:
    """Write a report for the docs."""
    table = [HEAD, ("---",) * len(HEAD), *(row.cells() for row in report.rows)]
    lines = [f"# {report.title}", "", *(f"| {' | '.join(row)} |" for row in table), ""]
    lines += [f"* {line}" for line in (*_growths(report), *report.notes, made_with)]
    if report.curves:
        lines += ["", f"![Cost by size]({report.name}.svg)"]
    return "\n".join([*lines, ""])


def as_plot(report: Report, file: Path) -> None:
    """Draw the curves of a report, each with its line of best fit."""
    import matplotlib as mpl  # noqa: PLC0415  (a plot is drawn in the environment of the benchmarks only)

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": report.name, "svg.fonttype": "none"})
    from matplotlib import pyplot as plt  # noqa: PLC0415  (as above)

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    unit, unit_name = _unit(max(cost for curve in report.curves for _, cost in curve.points))
    for curve in report.curves:
        sizes, costs = zip(*curve.points, strict=True)
        line = best_line(sizes, costs)
        (drawn,) = axes.plot(sizes, [cost / unit for cost in costs], "o", label=curve.name)
        between = [sizes[0] * (sizes[-1] / sizes[0]) ** (step / STEPS) for step in range(STEPS + 1)]
        fitted = [(line.at_zero + line.slope * size) / unit for size in between]
        axes.plot(between, fitted, "-", color=drawn.get_color(), alpha=0.6)
        axes.set_xscale("log" if sizes[-1] > STEPS * sizes[0] else "linear")
    axes.set(xlabel=report.size, ylabel=unit_name, title=report.title, ylim=(0, None))
    axes.legend(fontsize="small")
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def counted(number: int, what: str) -> str:
    """Write so many of something; *what* begins with the word for one of it."""
    noun, *rest = what.split(" ", 1)
    return " ".join([str(number), noun if number == 1 else f"{noun}s", *rest])


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds == 0:
        return "0 s"
    unit, name = _unit(abs(seconds))
    return f"{seconds / unit:.3g} {name}"


def _unit(seconds: float) -> tuple[float, str]:
    return next((unit for unit in UNITS if seconds >= unit[0]), UNITS[-1])


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.0f}x"  # noqa: PLR2004  (two digits say enough of a large one)


def _growths(report: Report) -> Iterable[str]:
    return (f"{curve.name}: {curve.growth} ({report.size})" for curve in report.curves)
