"""Errors that the user can fix; commands print them on one line and exit with status 2."""


class InputError(Exception):
    """A setting, file or service given by the user cannot be used.

    The message is one line, `WHERE: RULE, but got FOUND; FIX`. Commands print it without a
    traceback and exit with status 2. Any other exception is a bug.
    """


class UnavailableError(InputError):
    """Weights or data are unavailable: no network and not in the cache, or they do not exist.

    A study stops with this error; a benchmark leaves the cells that need them empty.
    """
