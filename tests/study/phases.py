"""What commands print while they work."""

import re


def without_phases(out: str) -> str:
    """Returns standard output without the lines that say what is done from now on."""
    return re.sub(r"^\d\d:\d\d:\d\d  .*\n", "", out, flags=re.MULTILINE)
