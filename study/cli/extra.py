"""Commands need the packages of the extra `study`: without them they say so and exit with 2.

The other modules of this package need these packages as well; `study.cli` imports this one first.
"""

import sys
from importlib.util import find_spec

PACKAGES = ("ray", "optuna", "mlflow", "pydantic", "ruamel", "transformers")
"""Some of the extra; whoever has these has installed it."""


def require_extra() -> None:
    """Ends the process with one line and exit status 2 if a package of the extra is missing.

    Does not import the packages.
    """
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        print(  # noqa: T201
            "error: installation: the commands need the packages of the extra `study`, but got "
            f'none of {", ".join(missing)}; pip install "adalora-rs-study[study]", or, in a '
            'checkout, pip install -c constraints.txt -e ".[study]"',
            file=sys.stderr,
        )
        sys.exit(2)


require_extra()
