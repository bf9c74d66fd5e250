"""Plots as PNG and SVG, drawn without a display.

The mean is a line, the lowest and highest of each bucket a band around it, in a blue that every kind of
colour sight tells from the limits, which are dashed and named as well. Where nothing was heard, nothing
is drawn. An SVG has its text as text, a title and a description.
"""

import io
from html import escape
from typing import TYPE_CHECKING, Any, Final

from gateway.plots.plot import Plot
from gateway.plots.ticks import ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLUE: Final = "#0072b2"
_VERMILION: Final = "#d55e00"
"""Of the palette of Okabe and Ito (2002), made to be told apart by everybody."""

_INK: Final = "#222222"
_FAINT_INK: Final = "#5c5c5c"
_HAIRLINE: Final = "#dddddd"

_INCHES: Final = (9.0, 4.5)
_DOTS_PER_INCH: Final = 160
_TICKS: Final = 8

_STYLE: Final[Any] = {  # matplotlib has a type for each name
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "figure.constrained_layout.h_pad": 0.14,
    "figure.constrained_layout.w_pad": 0.16,
    "axes.edgecolor": _FAINT_INK,
    "axes.labelcolor": _FAINT_INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid.axis": "y",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": _HAIRLINE,
    "grid.linewidth": 0.8,
    "xtick.color": _FAINT_INK,
    "ytick.color": _FAINT_INK,
    "ytick.major.size": 0,
    "text.parse_math": False,  # a name with dollars is a name
    "svg.fonttype": "none",  # text stays text: it can be searched, enlarged and read aloud
    "svg.hashsalt": "stadsnav",  # the same plot gives the same file
}


def png(plot: Plot) -> bytes:
    """A picture of 1440 x 720 dots."""
    return _saved(plot, "png", {"Title": plot.title, "Description": plot.description, "Software": None})


def svg(plot: Plot) -> bytes:
    """A drawing that scales, with a title and a description for those who do not see it."""
    drawn = _saved(plot, "svg", {"Date": None, "Creator": None}).decode()
    head, start, rest = drawn.partition("<svg ")
    attributes, end, content = rest.partition(">")
    words = (
        f'\n <title id="title">{escape(plot.title)}</title>'
        f'\n <desc id="desc">{escape(plot.description)}</desc>'
    )
    role = ' role="img" aria-labelledby="title desc"'
    return f"{head}{start}{attributes}{role}{end}{words}{content}".encode()


def _saved(plot: Plot, form: str, metadata: dict[str, str | None]) -> bytes:
    import matplotlib as mpl  # noqa: PLC0415 - more than half a second, and only here
    from matplotlib.figure import Figure  # noqa: PLC0415

    content = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
        _draw(figure, plot)
        figure.savefig(content, format=form, metadata=metadata)
    return content.getvalue()


def _draw(figure: "Figure", plot: Plot) -> None:
    axes = figure.add_subplot()
    _draw_readings(axes, plot)
    _draw_limits(axes, plot)
    _draw_time_axis(axes, plot)
    axes.set_ylim(*plot.value_range)
    axes.set_ylabel(plot.value_label)
    _write_head(axes, plot)


def _draw_readings(axes: "Axes", plot: Plot) -> None:
    buckets, middles = plot.buckets, plot.middles
    for run in plot.runs:
        low, high, mean = buckets.min[run], buckets.max[run], buckets.mean[run]
        if run.stop - run.start == 1:  # a line needs two ends
            axes.vlines(middles[run], low, high, color=_BLUE, alpha=0.35, linewidth=2)
            axes.plot(middles[run], mean, color=_BLUE, marker="o", markersize=2.5)
            continue
        axes.fill_between(middles[run], low, high, color=_BLUE, alpha=0.25, linewidth=0.6)
        axes.plot(middles[run], mean, color=_BLUE, linewidth=1.3)
    if not plot.runs:
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "No readings in this time", transform=axes.transAxes, ha="center", color=_FAINT_INK
        )


def _draw_limits(axes: "Axes", plot: Plot) -> None:
    for limit in plot.drawn_limits:
        axes.axhline(limit.value, color=_VERMILION, linewidth=1.1, linestyle=(0, (5, 3)))
        axes.annotate(
            plot.limit_text(limit),
            (1, limit.value),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),  # beside the readings, not over them
            textcoords="offset points",
            va="center",
            color=_VERMILION,
            fontsize=9,
        )


def _draw_time_axis(axes: "Axes", plot: Plot) -> None:
    marks = ticks(plot.since, plot.until, plot.zone, at_most=_TICKS)
    axes.set_xlim(plot.since.timestamp(), plot.until.timestamp())
    axes.set_xticks(
        [mark.at.timestamp() for mark in marks], [f"{mark.text}\n{mark.above}".rstrip() for mark in marks]
    )
    axes.set_xlabel(plot.time_label)


def _write_head(axes: "Axes", plot: Plot) -> None:
    """What it is, in bold; below it the newest reading, and then how to read it."""
    axes.set_title(
        f"{plot.home} · {plot.span_text} · {plot.key_text}",
        loc="left",
        fontsize=9,
        color=_FAINT_INK,
        pad=8,
    )
    for text, up, style in (
        (plot.last_text, 22, {"fontsize": 10}),
        (plot.title, 38, {"fontsize": 13, "fontweight": "bold"}),
    ):
        axes.annotate(
            text, (0, 1), xycoords="axes fraction", xytext=(0, up), textcoords="offset points", **style
        )
