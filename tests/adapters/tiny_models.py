"""Small models and a training loop for the tests of adapters."""

from collections.abc import Sequence

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
"""Names of the head's modules by family."""


def tiny_opt(layers: int = 2, hidden: int = 16, dtype: torch.dtype = torch.float32):
    """Returns an OPT classifier without dropout, with the same weights in every call."""
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
    """Returns a classifier of a family without dropout, with the same weights in every call."""
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
    """Returns the batch of a step, a function of its number."""
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
    """Adapts all six matrices of every layer of a model with SVDLinear."""
    generator = torch.Generator().manual_seed(seed)
    return inject(model, target_patterns(family), rank, alpha=16, generator=generator)


def linear_adapters(
    widths: list[tuple[int, int]], rank: int | Sequence[int], device: str = "cpu"
) -> dict[str, SVDLinear]:
    """Returns adapted layers (in, out) without a model, with random singular values."""
    generator = torch.Generator().manual_seed(3)
    adapters = {}
    ranks = [rank] * len(widths) if isinstance(rank, int) else rank
    for number, ((inputs, outputs), own) in enumerate(zip(widths, ranks, strict=True)):
        base = nn.Linear(inputs, outputs, device=device)
        module = SVDLinear(base, own, alpha=own, generator=generator)
        module.lam.data.copy_(torch.randn(own, generator=generator))
        adapters[f"layer{number}"] = module
    return adapters


def draw_gradients(adapters: dict[str, SVDLinear], step: int) -> None:
    """Sets random gradients of P, lam and Q, a function of the step's number."""
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
        """Takes an optimizer step on the batch of the allocator's step count."""
        batch = tiny_batch(self.allocator.t)
        loss = self.model(**batch).loss + 0.1 * orthogonality(self.adapters)
        loss.backward()
        self.optimizer.step()
        self.allocator.step()
        self.optimizer.zero_grad()

    def steps(self, count: int) -> "Run":
        """Takes several optimizer steps."""
        for _ in range(count):
            self.step()
        return self

    def state(self) -> dict:
        """Returns the content of a checkpoint."""
        trained = {n: p.detach() for n, p in self.model.named_parameters() if p.requires_grad}
        return {
            "parameters": trained,
            "optimizer": self.optimizer.state_dict(),
            "allocator": self.allocator.state_dict(),
        }

    def load(self, state: dict) -> None:
        """Loads a checkpoint."""
        named = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in state["parameters"].items():
                named[name].copy_(value)
        self.optimizer.load_state_dict(state["optimizer"])
        self.allocator.load_state_dict(state["allocator"])
