"""Whether the scores of a folder chose its leader: those of a race did, and flatter it."""

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from study.analysis.seeds.reading import Comparison

SPEC = "spec.yaml"


def fixed_before(comparison: Comparison) -> bool:
    """Returns whether the configurations were chosen before these runs, and not by them.

    What was asked for tells, wherever the folder lies: a comparison names its seeds, a race draws
    them. Without a spec.yaml that can be read, the folder's name tells.
    """
    try:
        asked = YAML(typ="safe").load((comparison.folder / SPEC).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError):
        return comparison.fixed_before
    return "seeds" in asked if isinstance(asked, dict) and asked else comparison.fixed_before
