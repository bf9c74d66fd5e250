"""Plots in a terminal, with characters.

``plotext`` draws on one figure of the whole process: what the one before left on it is cleared first.
"""

from typing import Any, Final

from gateway.plots.plot import Plot
from gateway.plots.ticks import ticks

NARROWEST: Final = 40
LOWEST: Final = 8
"""Of the drawing itself."""

_COLUMNS_PER_TICK: Final = 13
_BAND: Final = "░"
_LIMIT: Final = "╌"


def terminal_text(plot: Plot, *, columns: int, lines: int, is_colour: bool) -> str:
    """The plot and the sentences around it, each line ended.

    Args:
        plot: What is drawn.
        columns: How wide the terminal is; less than ``NARROWEST`` is taken as that.
        lines: How high; the drawing has ``LOWEST`` of them at least.
        is_colour: Whether to write colours; without, band and line differ by their characters all the same.
    """
    above = [plot.title, f"{plot.home} · {plot.span_text}"]
    limits = [f"{_LIMIT}{_LIMIT} {plot.limit_text(limit)}" for limit in plot.limits]
    below = [plot.time_label, plot.key_text, *limits, plot.last_text]
    left = max(lines - len(above) - len(below), LOWEST)
    text = "\n".join([*above, _drawn(plot, max(columns, NARROWEST), left, is_colour=is_colour), *below])
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _drawn(plot: Plot, columns: int, lines: int, *, is_colour: bool) -> str:
    import plotext  # noqa: PLC0415 - slow, and only here

    plotext.terminal.limit(width=False, height=False)  # its size is for the caller to know
    figure = plotext.figure.clear().theme("colorless").plot_size(columns, lines)
    figure.legend(active=False)
    _draw_axes(figure, plot, columns)
    _draw_limits(plotext, figure, plot)
    _draw_readings(plotext, figure, plot)
    text: str = figure.build().string(colorless=not is_colour)
    return text.strip("\n")


def _draw_axes(figure: Any, plot: Plot, columns: int) -> None:
    marks = ticks(plot.since, plot.until, plot.zone, at_most=columns // _COLUMNS_PER_TICK)
    time_axis = figure.ruler(axis=0, side=0)
    time_axis.lim(plot.since.timestamp(), plot.until.timestamp())
    time_axis.ticks(
        [mark.at.timestamp() for mark in marks], [f"{mark.above} {mark.text}".strip() for mark in marks]
    )
    figure.ruler(axis=1, side=0).lim(*plot.value_range)
    figure.label(plot.value_label, axis=1, side=0)


def _draw_limits(plotext: Any, figure: Any, plot: Plot) -> None:
    ends = [plot.since.timestamp(), plot.until.timestamp()]
    for limit in plot.drawn_limits:
        dashes = plotext.marker(_LIMIT, pixel=plotext.pixel("orange"))
        figure.draw(figure.signal(ends, [limit.value] * 2, marker=dashes).lines())


def _draw_readings(plotext: Any, figure: Any, plot: Plot) -> None:
    band, line = plotext.marker(_BAND, pixel=plotext.pixel("blue")), plotext.marker("hd")
    middles = plot.middles.tolist()
    low, high, mean = (column.tolist() for column in (plot.buckets.min, plot.buckets.max, plot.buckets.mean))
    if not middles:
        return
    tops = figure.signal(middles, high, marker=band)
    figure.draw(tops.fill(figure.signal(middles, low, marker=band)))
    means = figure.signal(middles, mean, marker=line).lines()
    for run in plot.runs:
        means.line(run.start, active=False)  # no line from the reading before the gap
    figure.draw(means)
