"""Configurations, and runs of them with given seeds."""

from dataclasses import dataclass
from typing import Any

from study.spec import SeedsSpec, StudySpec, method_label
from study.spec.comparison.schema import FACTORS, is_masked
from study.spec.leaves import cell_of
from study.spec.rank_pattern import shortened
from study.storage.runs import Label

_COUNTED = {"steps", "epochs", "reports", "eval_batch_size"}
"""Training settings that have their own columns in results.csv, or do not affect the scores."""


@dataclass(frozen=True)
class Configuration:
    """Settings with one value each, and their label in tables."""

    label: str
    spec: StudySpec

    @property
    def is_masked(self) -> bool:
        """Whether its mask is random, so that the mask seed has an effect."""
        return is_masked(self.spec)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that affect the scores, by leaf name, the method first."""
        adapter = shortened(self.spec.adapter.model_dump(mode="json", exclude_none=True))
        training = self.spec.training.model_dump(mode="json", exclude=_COUNTED, exclude_none=True)
        backbone = self.spec.backbone.changed
        method = {"method": method_label(self.spec.adapter)}
        values = {**adapter, **method, **training, **backbone}
        return {name: cell_of(value) for name, value in values.items()}


@dataclass(frozen=True)
class ComparisonRun:
    """One training of a configuration; `mask` is None if its mask is not random."""

    configuration: Configuration
    mask: int | None
    init: int
    data: int

    @classmethod
    def of(cls, configuration: Configuration, mask: int, init: int, data: int) -> "ComparisonRun":
        """Returns the run with these seeds; the mask seed is dropped if the mask is not random."""
        return cls(configuration, mask if configuration.is_masked else None, init, data)

    @property
    def labels(self) -> dict[str, Label]:
        """Configuration and seeds, which identify the run."""
        seeds = {name: getattr(self, name) for name in FACTORS}
        return {"configuration": self.configuration.label, **seeds}

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the configuration."""
        return self.configuration.settings

    @property
    def seeds(self) -> dict[str, int]:
        """By factor; mask 0 if the mask is not random."""
        return {"init": self.init, "data": self.data, "mask": self.mask or 0}

    @property
    def spec(self) -> StudySpec:
        """The spec of the configuration with these seeds."""
        return self.configuration.spec.model_copy(update={"seeds": SeedsSpec(**self.seeds)})
