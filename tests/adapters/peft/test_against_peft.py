"""With p = 0 and score_loss = total scores, masks and weights equal those of PEFT's AdaLoRA."""

import re

import peft
import pytest
import torch

from adapters import CubicBudget, RankAllocator, orthogonality
from tests.adapters.tiny_models import svd_adapters, tiny_batch, tiny_opt

RANK, TARGET, STEPS, FINAL, EVERY, BETA1, BETA2, GAMMA = 4, 2, 200, 30, 7, 0.85, 0.9, 0.1


class PeftRun:
    """A training with PEFT's AdaLoRA, with steps counted from 1."""

    def __init__(self):
        config = peft.AdaLoraConfig(
            init_r=RANK,
            target_r=TARGET,
            tinit=0,
            tfinal=FINAL,
            total_step=STEPS,
            deltaT=EVERY,
            beta1=BETA1,
            beta2=BETA2,
            lora_alpha=16,
            orth_reg_weight=GAMMA,
            target_modules=r".*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)",
            task_type="SEQ_CLS",
        )
        self.model = peft.get_peft_model(tiny_opt(layers=1), config)
        self.tuner = self.model.base_model
        self.layers = {
            re.sub(r"^base_model\.model\.", "", name): module
            for name, module in self.model.named_modules()
            if hasattr(module, "lora_E") and hasattr(module, "base_layer")
        }
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=1e-3)

    def step(self, t):
        """Trains a step; returns a flag per triplet at a mask event, and None at other steps."""
        self.model(**tiny_batch(t)).loss.backward()
        self.optimizer.step()
        event = (t % EVERY == 0 and t < STEPS - FINAL) or t == STEPS - FINAL
        self.tuner.update_and_allocate(t)
        self.optimizer.zero_grad()
        if not event:
            return None
        pattern = self.tuner.peft_config["default"].rank_pattern
        return [flag for name in self.layers for flag in pattern[f"{name}.lora_E.default"]]

    def scores(self, smoothed, deviation):
        """Returns S_i, matrix by matrix, from PEFT's two EMAs."""

        def score(name, part):
            key = f"{name}.lora_{part}.default"
            return smoothed[key] * deviation[key]

        return torch.cat(
            [
                score(name, "E")[:, 0] + score(name, "A").mean(1) + score(name, "B").mean(0)
                for name in self.layers
            ]
        )


def our_run(peft_run):
    model = tiny_opt(layers=1)
    adapters = svd_adapters(model, RANK)
    assert list(adapters) == list(peft_run.layers)
    with torch.no_grad():
        for name, module in adapters.items():
            layer = peft_run.layers[name]
            module.P.copy_(layer.lora_B["default"])
            module.Q.copy_(layer.lora_A["default"])
            module.scale = 16 / (RANK + 1e-5)
    model.score.requires_grad_(True)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    budget = CubicBudget(STEPS, RANK, TARGET, len(adapters), FINAL / STEPS, deltaT=EVERY)
    allocator = RankAllocator(
        adapters, budget, beta1=BETA1, beta2=BETA2, p=0.0, mask_seed=0, score_loss="total"
    )
    return model, adapters, optimizer, allocator


@pytest.mark.filterwarnings("ignore")
def test_with_p_0_all_200_steps_equal_those_of_peft():
    peft_run = PeftRun()
    model, adapters, optimizer, allocator = our_run(peft_run)
    events = 0
    for t in range(1, STEPS + 1):
        averages = peft_run.tuner.rankallocator
        pattern = peft_run.step(t)
        loss = model(**tiny_batch(t)).loss + GAMMA * orthogonality(adapters)
        loss.backward()
        optimizer.step()
        allocator.step()
        optimizer.zero_grad()
        if t < STEPS - FINAL:
            expected = peft_run.scores(averages.exp_avg_ipt, averages.exp_avg_unc)
            # PEFT's uncertainty is taken around the updated sensitivity: the factor beta1.
            torch.testing.assert_close(BETA1 * allocator.scores(), expected, rtol=1e-4, atol=0)
        if pattern is not None:
            events += 1
            assert allocator.kept().tolist() == pattern, t
    assert events == len(allocator.trace()) == 25
    for name, module in adapters.items():
        layer = peft_run.layers[name]
        pairs = [
            (module.P, layer.lora_B["default"]),
            (module.Q, layer.lora_A["default"]),
            (module.lam, layer.lora_E["default"][:, 0]),
        ]
        for weight, expected_weight in pairs:
            torch.testing.assert_close(weight, expected_weight, rtol=0, atol=1e-5)
    assert allocator.rank() == TARGET * len(adapters)
