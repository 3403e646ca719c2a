"""What a user can mend: the one exception that becomes a single line and exit status 2."""


class InputError(Exception):
    """A setting, file or service that the user gave cannot be used.

    The message is one line: where, the rule that must hold, what was found, the fix.
    Commands print it without a traceback and exit with status 2; anything else is a bug.
    """


class UnavailableError(InputError):
    """Weights or data cannot be had at present: no network and not in the cache, or not there.

    A study cannot go on without; a benchmark leaves the cells empty that need them.
    """
