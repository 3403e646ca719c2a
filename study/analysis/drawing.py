"""Colours, style, and SVG and PNG output shared by all pictures."""

from collections.abc import Callable
from functools import wraps
from io import BytesIO, StringIO
from typing import ParamSpec

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

COMPLETE, PRUNED, FAILED, WINNER, INK = "#2b6ca3", "#a9b1ba", "#b03030", "#d9730d", "#333a42"
SOFT = "#6b737c"
WIDTH = 10.0
DPI = 130
"""Resolution of PNG pictures."""
STYLE = {
    "font.size": 9,
    "axes.edgecolor": "#8a929b",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "study",
    # Names come from the user: a dollar sign must not start a formula.
    "text.parse_math": False,
}
Arguments = ParamSpec("Arguments")


def svg(draw: Callable[Arguments, Figure]) -> Callable[Arguments, str]:
    """Decorates a function that returns a figure: it returns its SVG in the report's style."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> str:
        with mpl.rc_context(STYLE):
            text = StringIO()
            FigureCanvasSVG(draw(*args, **kwargs)).print_svg(text, metadata={"Date": None})
            return text.getvalue()

    return drawn


def png(draw: Callable[Arguments, Figure]) -> Callable[Arguments, bytes]:
    """Decorates a function that returns a figure: it returns the PNG in the report's style."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> bytes:
        with mpl.rc_context(STYLE):
            data = BytesIO()
            figure = draw(*args, **kwargs)
            figure.set_dpi(DPI)
            FigureCanvasAgg(figure).print_png(data, metadata={"Software": None})
            return data.getvalue()

    return drawn
