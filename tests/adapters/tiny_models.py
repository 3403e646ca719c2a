"""Small models and an ordinary training loop, shared by the tests of adapters."""

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    EsmConfig,
    EsmForSequenceClassification,
    OPTConfig,
    OPTForSequenceClassification,
)

from adapters import (
    CubicBudget,
    RankAllocator,
    SVDLinear,
    inject,
    orthogonality,
    target_patterns,
)

VOCABULARY = 50
HEADS = {"opt": ("score",), "bert": ("bert.pooler.dense", "classifier"), "esm": ("classifier",)}
"""The modules of a family's head."""


def tiny_opt(layers: int = 2, hidden: int = 16, dtype: torch.dtype = torch.float32):
    """An OPT classifier without dropout, the same weights every time."""
    torch.manual_seed(1)
    config = OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        word_embed_proj_dim=hidden,
        ffn_dim=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=32,
        dropout=0.0,
        num_labels=2,
    )
    return OPTForSequenceClassification(config).to(dtype)


def tiny_model(family: str = "opt", layers: int = 2, hidden: int = 16):
    """A classifier of a family without dropout, the same weights every time."""
    if family == "opt":
        return tiny_opt(layers, hidden)
    config, kind = {
        "bert": (BertConfig, BertForSequenceClassification),
        "esm": (EsmConfig, EsmForSequenceClassification),
    }[family]
    torch.manual_seed(1)
    sizes = config(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=1,
        mask_token_id=2,
    )
    return kind(sizes)


def tiny_batch(step: int, rows: int = 4) -> dict[str, Tensor]:
    """The batch of a step: a function of its number."""
    generator = torch.Generator().manual_seed(1000 + step)
    ids = torch.randint(4, VOCABULARY, (rows, 12), generator=generator)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "labels": (ids == 7).any(-1).long(),
    }


def svd_adapters(
    model: nn.Module, rank: int, seed: int = 0, family: str = "opt"
) -> dict[str, SVDLinear]:
    """Injects AdaLoRA's layers into all six matrices of a model."""
    generator = torch.Generator().manual_seed(seed)
    found = inject(model, target_patterns(family), rank, alpha=16, generator=generator)
    return {name: module for name, module in found.items() if isinstance(module, SVDLinear)}


def linear_adapters(
    widths: list[tuple[int, int]], rank: int, device: str = "cpu"
) -> dict[str, SVDLinear]:
    """Adapted layers (in, out) without a model, with random singular values."""
    generator = torch.Generator().manual_seed(3)
    adapters = {}
    for number, (inputs, outputs) in enumerate(widths):
        base = nn.Linear(inputs, outputs, device=device)
        module = SVDLinear(base, rank, alpha=rank, generator=generator)
        module.lam.data.copy_(torch.randn(rank, generator=generator))
        adapters[f"layer{number}"] = module
    return adapters


def draw_gradients(adapters: dict[str, SVDLinear], step: int) -> None:
    """Gives P, lam and Q the random gradients of a step, a function of its number."""
    generator = torch.Generator().manual_seed(77 + step)
    for module in adapters.values():
        for weight in (module.P, module.lam, module.Q):
            weight.grad = torch.randn(weight.shape, generator=generator).to(weight.device)


class Run:
    """A model with adapters, its optimizer and its allocator."""

    def __init__(
        self,
        budget: CubicBudget,
        layers: int = 2,
        hidden: int = 16,
        family: str = "opt",
        **rates,
    ) -> None:
        self.model = tiny_model(family, layers, hidden)
        self.adapters = svd_adapters(self.model, budget.b0, family=family)
        for name in HEADS[family]:
            self.model.get_submodule(name).requires_grad_(True)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=5e-3, weight_decay=0.1)
        settings = {"beta1": 0.85, "beta2": 0.85, "p": 0.2, "mask_seed": 5} | rates
        self.allocator = RankAllocator(self.adapters, budget, **settings)

    def step(self) -> None:
        """One optimizer step; its batch follows from the allocator's step count."""
        batch = tiny_batch(self.allocator.t)
        loss = self.model(**batch).loss + 0.1 * orthogonality(self.adapters)
        loss.backward()
        self.optimizer.step()
        self.allocator.step()
        self.optimizer.zero_grad()

    def steps(self, count: int) -> "Run":
        """Several steps."""
        for _ in range(count):
            self.step()
        return self

    def state(self) -> dict:
        """All that a checkpoint holds."""
        trained = {n: p.detach() for n, p in self.model.named_parameters() if p.requires_grad}
        return {
            "parameters": trained,
            "optimizer": self.optimizer.state_dict(),
            "allocator": self.allocator.state_dict(),
        }

    def load(self, state: dict) -> None:
        """Continues from a checkpoint."""
        named = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in state["parameters"].items():
                named[name].copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        self.allocator.load_state_dict(state["allocator"])
