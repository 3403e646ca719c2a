"""The logits of all rows of a file, on disk: memory does not grow with the file."""

from typing import IO

import numpy as np
from jaxtyping import Float

Probabilities = Float[np.ndarray, "rows classes"]


class LogitsFile:
    """Rows of float32 logits in an open temporary file."""

    def __init__(self, file: IO[bytes], classes: int) -> None:
        self._file, self._classes = file, classes
        self.rows = 0

    def append(self, logits: Float[np.ndarray, "rows classes"]) -> None:
        """Writes the logits of the next rows."""
        self._file.write(logits.astype(np.float32).tobytes())
        self.rows += len(logits)

    def all(self) -> Float[np.ndarray, "rows classes"]:
        """Returns all logits, mapped from the file."""
        self._file.flush()
        shape = (self.rows, self._classes)
        return np.memmap(self._file, dtype=np.float32, mode="r", shape=shape)


def probabilities(logits: Float[np.ndarray, "rows classes"]) -> Probabilities:
    """Returns the class probabilities, float64."""
    exact = logits.astype(np.float64)
    found: Probabilities = np.exp(exact - np.logaddexp.reduce(exact, axis=1, keepdims=True))
    return found
