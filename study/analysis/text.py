"""How tables show a value that may be missing or long."""

from typing import Any

NOTHING = "–"


def shown(value: Any) -> str:
    """Returns a value as a reader wants it: four digits, thousands apart, – for nothing."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.4f}" if 0.01 <= abs(value) < 10 else f"{value:.4g}"


def _short(value: Any) -> str:
    return f"{value:#.3g}" if isinstance(value, float) else shown(value)
