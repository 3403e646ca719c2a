"""Parameter counts of model, head and adapters, by arithmetic.

Each equals what `adapters.count_parameters` counts in the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from study.models.families import FAMILIES, HEADS
from study.spec.backbone import CnnSpec


@dataclass(frozen=True)
class Sizes:
    """The sizes that determine the parameter counts and the longest input.

    They are those of `BackboneInfo`.
    """

    family: str
    layers: int
    hidden_size: int
    feed_forward_size: int
    embedding_size: int
    vocab_size: int
    max_positions: int | None
    parameters: int | None = None
    """Parameters of the whole model with two labels; None if unknown."""
    query_size: int | None = None
    key_size: int | None = None
    head_vectors: int = 1

    @property
    def backbone_parameters(self) -> int | None:
        """Parameters of the model without its head; None if unknown."""
        return None if self.parameters is None else self.parameters - self.head_parameters(2)

    def head_parameters(self, num_labels: int) -> int:
        """Returns the parameters of the head, all of which are trained."""
        head = HEADS[FAMILIES[self.family].base]
        if not head.dense:
            return (self.embedding_size + head.bias) * num_labels
        dense = (self.hidden_size + self.head_vectors) * self.hidden_size
        return dense + (self.hidden_size + 1) * num_labels

    def adapter_parameters(self, matrices: Sequence[str], rank: int, *, svd: bool) -> int:
        """Returns the parameters of adapters of rank `rank` on `matrices` of all layers.

        `matrices` are some of those of the family. With `svd` (AdaLoRA), lam is counted too: rank
        b0 gives the parameters at the start, rank bT those kept at the end.
        """
        return self.layers * rank * sum(self.width(matrix) + svd for matrix in matrices)

    def width(self, matrix: str) -> int:
        """Returns the outputs plus inputs of a matrix: the parameters of a LoRA triplet."""
        inner = self.feed_forward_size
        other = {
            "q": self.query_size or self.hidden_size,
            "k": self.key_size or self.hidden_size,
            "v": self.key_size or self.hidden_size,
            "o": self.query_size or self.hidden_size,
            "f1": 2 * inner if FAMILIES[self.family].gated else inner,
            "f2": inner,
            "gate": inner,
        }
        return self.hidden_size + other[matrix]


def cnn_sizes(spec: CnnSpec) -> Sizes:
    """Returns the sizes of a cnn, which has 4 inputs, and biases in every layer."""
    width, inner = spec.width, spec.inner_kernel_size
    first = (4 * spec.kernel_size + 1) * width
    others = (spec.depth - 1) * (width * inner + 1) * width
    sizes = Sizes("cnn", spec.depth, width, width, width, 6, None)
    return replace(sizes, parameters=first + others + sizes.head_parameters(2))
