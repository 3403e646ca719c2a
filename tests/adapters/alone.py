"""A script for an environment without the extras: trains, saves, loads and merges.

It prints the modules of other packages that are installed or were imported.
"""

import sys
import tempfile
from importlib.util import find_spec

import torch
from torch import nn

import adapters

OTHERS = ("jaxtyping", "mlflow", "optuna", "peft", "pydantic", "ray", "transformers")


def main() -> None:
    """Runs the script; raises where a result is wrong."""
    models = [network() for _ in range(2)]
    runs = [make(model) for model in models]
    train(*runs[0], 4)
    with tempfile.TemporaryDirectory() as folder:
        runs[0][0].save(folder, runs[0][1])
        runs[1][0].load(folder, runs[1][1])
    for adalora, optimizer in runs:
        train(adalora, optimizer, 8)
        adalora.shrink(optimizer)
    own, other = (model.state_dict() for model in models)
    assert all(torch.equal(own[name], other[name]) for name in own)
    assert len(runs[0][0].trace()) == 5
    x = torch.ones(2, 8)
    expected = models[0](x)
    adapters.save_peft_adalora(models[0], tempfile.mkdtemp())
    torch.testing.assert_close(runs[0][0].merge()(x), expected)
    try:
        adapters.RankAllocatorCallback  # noqa: B018
    except ModuleNotFoundError as error:
        print(error)  # noqa: T201
    installed = [name for name in OTHERS if find_spec(name)]
    print(adapters.__file__, installed or sorted({*OTHERS} & {*sys.modules}))  # noqa: T201


def network() -> nn.Module:
    """Returns the same model in every call."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.Linear(8, 2))


def make(model: nn.Module) -> tuple[adapters.AdaLoraRS, torch.optim.Optimizer]:
    """Returns adapters in the first two layers, and an optimizer."""
    adalora = adapters.AdaLoraRS(
        model, ["0", "2"], b0=4, bT=2, total_steps=12, deltaT=2, head=["3"]
    )
    return adalora, torch.optim.AdamW(adalora.parameters(), lr=1e-2)


def train(adalora: adapters.AdaLoraRS, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """Trains on batches that are a function of the step."""
    for _ in range(steps):
        generator = torch.Generator().manual_seed(adalora.allocator.t)
        batch = torch.randn(4, 8, generator=generator)
        (adalora.model(batch).square().mean() + adalora.penalty()).backward()
        optimizer.step()
        adalora.step()
        optimizer.zero_grad()


if __name__ == "__main__":
    main()
