"""A method is marked with @override if, and only if, it replaces one of a base class.

mypy checks this where it sees the base class; Ray, Optuna and transformers are skipped there.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import FunctionType, ModuleType

import pytest

import adapters
import study.engine
import study.models.architectures

LIBRARIES = ("ray.", "optuna.", "transformers.")
PACKAGES = (adapters, study.engine, study.models.architectures)
"""Those that may import one of the libraries for a base class."""


def modules_of(package: ModuleType) -> Iterator[ModuleType]:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            yield importlib.import_module(module.name)


def subclasses_of_libraries() -> list[type]:
    classes = {
        value
        for package in PACKAGES
        for module in modules_of(package)
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__.startswith(("adapters.", "study."))
    }
    return [
        one for one in classes if any(base.__module__.startswith(LIBRARIES) for base in one.mro())
    ]


def overrides(one: type) -> Iterator[tuple[str, bool, bool]]:
    """Yields name, whether it is marked and whether a base has it, for every method of a class."""
    for name, value in vars(one).items():
        function = getattr(value, "__func__", value)  # Of a static or a class method.
        marked = getattr(function, "__override__", False)
        # Of special methods mypy sees all; dataclasses add some that cannot be marked.
        if isinstance(function, FunctionType) and (marked or not name.startswith("__")):
            yield name, marked, any(hasattr(base, name) for base in one.__bases__)


# MLflow's own types, where it is imported here first.
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred")
def test_a_method_is_marked_as_an_override_exactly_if_a_base_class_has_it() -> None:
    classes = subclasses_of_libraries()
    assert {"AshaScheduler", "ReseededSampler", "TrainingWorker"} <= {c.__name__ for c in classes}
    wrong = [
        f"{one.__module__}.{one.__name__}.{name}: "
        + ("marked, but no base class has it" if marked else "overrides, but is not marked")
        for one in classes
        for name, marked, inherited in overrides(one)
        if marked != inherited
    ]
    assert not wrong, "\n".join(wrong)
