"""How values are shown in tables and sentences."""

from typing import Any

NOTHING = "–"


def shown(value: Any) -> str:
    """Returns a value as text: four digits, thousands separated by commas, – if missing."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.4f}" if 0.01 <= abs(value) < 10 else f"{value:.4g}"


def short(value: Any) -> str:
    """Returns a float with three significant digits, any other value as `shown`."""
    return f"{value:#.3g}" if isinstance(value, float) else shown(value)


def duration(seconds: float) -> str:
    """Returns a time in its two largest units: 2 h 5 min, 12 min, 40 s."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h"
