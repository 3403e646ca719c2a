import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Refuses every module that is not of the standard library, of torch, or required by torch.
PROGRAM = """
import sys

ALLOWED = set(sys.stdlib_module_names) | set(sys.argv[1].split(","))

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)

sys.meta_path.insert(0, Blocker())
exec(sys.argv[2])
"""

# Modules of torch, and the requirements of its requirements.
TORCH_MODULES = {"torch", "torchgen", "functorch", "markupsafe", "mpmath"}


def requirements_of_torch():
    lines = [line for line in requires("torch") or [] if "extra ==" not in line]
    names = [line.split(";")[0].split("[")[0].strip(" ()<>=!~.0123456789") for line in lines]
    return {name.replace("-", "_") for name in names}


def run(code):
    allowed = TORCH_MODULES | requirements_of_torch() | {"adapters"}
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, ",".join(allowed), code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_adapters_require_only_torch_except_for_the_callback():
    done = run(
        "import torch, adapters\n"
        "model = torch.nn.Sequential(torch.nn.Linear(4, 3))\n"
        "layers = adapters.inject(model, ['0'], 2, alpha=2, generator=torch.Generator())\n"
        "budget = adapters.CubicBudget(2, 2, 1, 1)\n"
        "allocator = adapters.RankAllocator(\n"
        "    layers, budget, beta1=0.5, beta2=0.5, p=0.1, mask_seed=0)\n"
        "for _ in range(2):\n"
        "    loss = model(torch.ones(1, 4)).sum() + adapters.orthogonality(layers)\n"
        "    loss.backward()\n"
        "    allocator.step()\n"
        "assert len(allocator.trace()) == 2\n"
        "try:\n"
        "    adapters.RankAllocatorCallback\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error)\n"
        "assert not hasattr(adapters, 'Callback')\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'numpy', 'jaxtyping'}))"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:-1] == ["transformers is not installed", "[]"]


@pytest.mark.parametrize("module", ["numpy", "jaxtyping", "safetensors", "study", "transformers"])
def test_a_blocked_import_fails(module):
    done = run(f"import {module}")
    assert done.returncode != 0
    assert f"{module} is not installed" in done.stderr
