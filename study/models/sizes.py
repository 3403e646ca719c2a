"""How large a model is, by arithmetic alone: no torch, no transformers, no files.

Each number equals what `adapters.count_parameters` counts in the model itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from study.models.families import FAMILIES, HEADS


@dataclass(frozen=True)
class Sizes:
    """The sizes that decide how many parameters there are and how long an input may be.

    `embedding_size` and `max_positions` mean what they mean in `BackboneInfo`.
    """

    family: str
    layers: int
    hidden_size: int
    feed_forward_size: int
    embedding_size: int
    vocab_size: int
    max_positions: int | None
    parameters: int | None = None
    """Parameters of the whole model with two labels; None where they are not known."""

    @property
    def backbone_parameters(self) -> int | None:
        """Parameters of the model without its head; None where they are not known."""
        return None if self.parameters is None else self.parameters - self.head_parameters(2)

    def head_parameters(self, num_labels: int) -> int:
        """Parameters of the head, which always trains."""
        if not HEADS[FAMILIES[self.family].kin].dense:
            return self.embedding_size * num_labels
        return (self.hidden_size + 1) * (self.hidden_size + num_labels)

    def adapter_parameters(self, matrices: Sequence[str], rank: int, *, svd: bool) -> int:
        """Parameters of adapters of one rank on these matrices (q, k, v, o, f1, f2) of all layers.

        With `svd` (AdaLoRA) lam counts too: `rank` b0 gives what trains at the start, bT what is
        kept at the end if every matrix keeps its average.
        """
        return self.layers * rank * sum(self._width(matrix) + svd for matrix in matrices)

    def _width(self, matrix: str) -> int:
        """Outputs plus inputs."""
        inner = self.feed_forward_size
        if matrix == "f1":
            return self.hidden_size + (2 * inner if FAMILIES[self.family].gated else inner)
        return self.hidden_size + (inner if matrix == "f2" else self.hidden_size)
