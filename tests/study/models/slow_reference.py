"""Layers of the slow references of two architectures, in float64 numpy."""

import numpy as np


def linear(state: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    """Returns the output of a linear layer, with or without bias."""
    product = x @ state[f"{name}.weight"].T
    return product + state[f"{name}.bias"] if f"{name}.bias" in state else product


def norm(state: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    """Returns the output of a layer norm."""
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    scaled = (x - mean) / np.sqrt(variance + 1e-12)
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]
