"""config.json of a backbone: its values, each checked when it is used."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import InputError
from study.models.damage import refusing
from study.models.families import FAMILIES, PRETRAINED, recognise

MOST_LAYERS = 1000
"""More are damage: even a model without weights would take minutes to build."""


@dataclass(frozen=True)
class ConfigFile:
    """The values of a config.json."""

    name: str
    """The `backbone.name` that the messages begin with."""
    values: dict[str, Any]

    @classmethod
    def read(cls, name: str, folder: Path) -> "ConfigFile":
        """Returns the config.json of a folder.

        Raises:
            InputError: it is not a JSON object, has a rate that is no probability, or is that of
                a quantised model.
        """
        with refusing(f"backbone {name}: config.json must be readable JSON", "restore the file"):
            values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise InputError(
                f"backbone {name}: config.json must be a JSON object, but got "
                f"{type(values).__name__}; restore the file"
            )
        config = cls(name, values)
        config._check_rates()
        config._check_not_quantised()
        return config

    @property
    def family(self) -> str:
        """The family.

        Raises:
            InputError: it is unknown.
        """
        family = recognise(self.values)
        if family is not None:
            return family
        code = " with its own code, which is never run" if "auto_map" in self.values else ""
        raise InputError(
            f"backbone {self.name}: the family (model_type in config.json) must be one of "
            f"{', '.join(PRETRAINED)}, but got {_shown(self.values.get('model_type'))}{code}; "
            "choose a model of one of these families"
        )

    def size(self, key: str, most: int = 2**31 - 1) -> int:
        """Returns a size, at least 1.

        Raises:
            InputError: it is absent, no integer or out of bounds.
        """
        value = self.values.get(key)
        if type(value) is not int or not 1 <= value <= most:
            bound = f" of at most {most}" if type(value) is int and value > most else ""
            raise self._wrong(key, f"a positive integer{bound}")
        return value

    def token_id(self, key: str, *, required: bool = False, default: int | None = None) -> Any:
        """Returns the id of a special token; `default` if the key is absent.

        Raises:
            InputError: it is not an id of the vocabulary, or None though `required`.
        """
        value, vocab_size = self.values.get(key, default), self.size("vocab_size")
        known = type(value) is int and 0 <= value < vocab_size
        if not known and (required or value is not None):
            raise self._wrong(key, f"a token id below vocab_size {vocab_size}")
        return value

    def optional_size(self, key: str) -> int | None:
        """Returns a size, or None if the key is absent or null.

        Raises:
            InputError: as `size`.
        """
        return None if self.values.get(key) is None else self.size(key)

    def padding_id(self) -> Any:
        """Returns the padding token's id; a decoder without one has the id of its eos token.

        Raises:
            InputError: it is not an id of the vocabulary, or None where positions depend on it.
        """
        base = FAMILIES[self.family].base
        pad_id = self.token_id("pad_token_id", required=base == "esm")
        if pad_id is None and base == "llama":
            eos = self.values.get("eos_token_id")
            first = eos[0] if isinstance(eos, list) and eos else eos
            pad_id = first if type(first) is int and 0 <= first < self.size("vocab_size") else None
        return pad_id

    def positions(self) -> int | None:
        """Returns the most tokens of an input; None if the family has no limit."""
        family = FAMILIES[self.family]
        if not family.limited:
            return None
        positions = self.size("max_position_embeddings")
        if family.base == "esm":  # it counts positions from pad_token_id + 1
            positions -= self.token_id("pad_token_id", required=True) + 1
        if positions < 1:
            raise self._wrong("max_position_embeddings", "more than pad_token_id + 1")
        return positions

    def _check_rates(self) -> None:
        """Checks dropout rates and epsilons: some would fail only in the first training step."""
        for key, value in self.values.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if "drop" in key and not 0 <= value < 1:
                raise self._wrong(key, "a rate from 0 to below 1")
            if key.endswith("_eps") and not 0 < value < 1:
                raise self._wrong(key, "a number between 0 and 1")

    def _check_not_quantised(self) -> None:
        """Refuses weights that adapters cannot be added to, and full fine-tuning cannot train."""
        found = self.values.get("quantization_config")
        if not found:
            return
        method = found.get("quant_method") if isinstance(found, dict) else None
        by = "" if method is None else f" ({_shown(method)})"
        raise InputError(
            f"backbone {self.name}: the weights must be floating-point, but got a config.json "
            f"with quantization_config{by}; give the model before it was quantised"
        )

    def _wrong(self, key: str, rule: str) -> InputError:
        return InputError(
            f"backbone {self.name}: {key} in config.json must be {rule}, but got "
            f"{_shown(self.values.get(key))}; restore the file"
        )


def _shown(value: Any) -> str:
    """Returns a value for a message, without control characters and not too long."""
    text = value if isinstance(value, str) and value.isidentifier() else ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
