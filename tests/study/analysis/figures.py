"""Figures of the reports before they become pictures."""

from typing import Any

from matplotlib.figure import Figure


def figure_of(draw: Any, *arguments: Any) -> Figure:
    """Returns the figure of a function that is decorated to return a picture."""
    figure = draw.__wrapped__(*arguments)
    assert isinstance(figure, Figure)
    return figure
