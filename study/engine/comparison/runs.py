"""Configurations, and their replicates: the same settings with other seeds."""

from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from study.spec import SeedsSpec, StudySpec, dump_spec
from study.storage.runs import Label

FACTORS = ("mask", "init", "data")
"""The three streams, in the order of labels and columns."""
_COUNTED = {"steps", "epochs", "reports", "eval_batch_size"}
"""Training settings that results tell elsewhere, or that decide no result."""


@dataclass(frozen=True)
class Configuration:
    """Settings with one value each, and what tables call them."""

    label: str
    spec: StudySpec

    @property
    def is_masked(self) -> bool:
        """Whether chance has a say in its mask, so that a mask seed means anything."""
        adapter = self.spec.adapter
        p, back = getattr(adapter, "p", 0.0), getattr(adapter, "p_reintroduce", None)
        return bool(p or back)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the results, by leaf name, the method first."""
        adapter = self.spec.adapter.model_dump(mode="json", exclude_none=True)
        training = self.spec.training.model_dump(mode="json", exclude=_COUNTED, exclude_none=True)
        values = {"method": adapter.pop("method"), **adapter, **training}
        return {k: " ".join(v) if isinstance(v, list) else v for k, v in values.items()}


@dataclass(frozen=True)
class ComparisonRun:
    """One training of a configuration; without a mask seed where no mask draws."""

    configuration: Configuration
    mask: int | None
    init: int
    data: int

    @classmethod
    def of(cls, configuration: Configuration, mask: int, init: int, data: int) -> "ComparisonRun":
        """The replicate with these seeds; all mask seeds are one where no mask draws."""
        return cls(configuration, mask if configuration.is_masked else None, init, data)

    @property
    def labels(self) -> dict[str, Label]:
        """What it is known by."""
        seeds = {name: getattr(self, name) for name in FACTORS}
        return {"configuration": self.configuration.label, **seeds}

    @property
    def settings(self) -> dict[str, Any]:
        """The configuration's."""
        return self.configuration.settings

    @property
    def seeds(self) -> dict[str, int]:
        """By stream; a mask that draws nothing has seed 0."""
        return {"init": self.init, "data": self.data, "mask": self.mask or 0}

    @property
    def spec(self) -> StudySpec:
        """The configuration's, with these seeds."""
        return self.configuration.spec.model_copy(update={"seeds": SeedsSpec(**self.seeds)})


def spec_text(configurations: Iterable[Configuration]) -> str:
    """Returns configurations as YAML: a mapping of labels to specs, without seeds."""
    parts = [f"{one.label}:\n{indent(dump_spec(one.spec), '  ')}" for one in configurations]
    return "configurations:\n" + indent("\n".join(parts), "  ")
