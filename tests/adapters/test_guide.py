"""The code of adapters/README.md runs, block by block."""

import re
import socket
from pathlib import Path

import pytest
import torch
from torch import distributed
from transformers import (
    OPTConfig,
    OPTForSequenceClassification,
    PrinterCallback,
    TrainingArguments,
)

from adapters import adapted_layers

GUIDE = (Path(__file__).parents[2] / "adapters" / "README.md").read_text(encoding="utf-8")


def blocks(section):
    text = GUIDE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    code = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert code, f"no code in the section {section!r}"
    return code


def run(section, names):
    for number, block in enumerate(blocks(section)):
        exec(compile(block, f"{section}, block {number}", "exec"), names)


def small_opt():
    torch.manual_seed(0)
    config = OPTConfig(
        vocab_size=32, hidden_size=16, ffn_dim=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=32, word_embed_proj_dim=16, dropout=0.0,
    )  # fmt: skip
    return OPTForSequenceClassification(config).eval()  # as from_pretrained


def batches(count):
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 32, (count, 4, 12), generator=generator)
    return [{"input_ids": batch, "labels": batch[:, 0] % 2} for batch in ids]


@pytest.fixture(autouse=True)
def no_download(monkeypatch, tmp_path):
    monkeypatch.setattr(
        OPTForSequenceClassification, "from_pretrained", lambda name, dtype: small_opt().to(dtype)
    )
    monkeypatch.chdir(tmp_path)


def fresh_names(steps=8):
    """The names that the first block makes before its loop, with more mask events in few steps."""
    names = {"loader": batches(steps)}
    setup, _, _ = blocks("A training loop")[0].partition("for batch in loader")
    exec(setup.replace('"deltaT": 100', '"deltaT": 2'), names)
    return names


def train(names, loader):
    _, loop, body = blocks("A training loop")[0].partition("for batch in loader")
    exec(loop + body, names | {"loader": loader, "print": lambda _: None})


def values(names):
    return [weight.detach() for weight in names["model"].parameters() if weight.requires_grad]


def test_the_training_loop_trains_and_prunes(capsys):
    names = {"loader": batches(24)}
    [example] = blocks("A training loop")
    exec(example.replace('"deltaT": 100', '"deltaT": 10'), names)
    assert [t for t, _ in names["adalora"].budget.events()] == [10, 18]
    assert "'t': 18" in capsys.readouterr().out
    assert 0 < sum(names["adalora"].ranks().values()) < 8 * len(names["adalora"].layers)


def test_a_run_that_ends_early_has_the_final_budget_and_fewer_parameters():
    names = fresh_names()
    batch = names["loader"][0]
    with torch.no_grad():
        original = names["model"](**batch).logits
    train(names, names["loader"][:4])
    run("Evaluation, ending early, fewer parameters", names | {"batch": batch})
    assert sum(layer.P.shape[1] for layer in names["adalora"].layers.values()) == 6 * 12
    with names["adalora"].disabled():
        torch.testing.assert_close(names["model"](**batch).logits, original)


def test_the_trainer_example_trains(monkeypatch, tmp_path):
    monkeypatch.setattr(PrinterCallback, "on_log", lambda *_, **__: None)
    rows = [{key: value[0] for key, value in batch.items()} for batch in batches(16)]
    args = TrainingArguments(
        str(tmp_path), max_steps=20, report_to=[], save_strategy="no", disable_tqdm=True,
        use_cpu=True, dataloader_pin_memory=False,
    )  # fmt: skip
    names = fresh_names() | {"args": args, "train": rows, "dev": rows}
    run("transformers.Trainer", names)
    trace = names["adalora"].trace()
    assert (trace[0]["t"], trace[-1]["t"]) == (1, 15)
    assert trace[-1]["budget"] == 6 * 12


def test_accumulation_and_mixed_precision_step_the_allocator_once_per_optimizer_step():
    names = fresh_names()
    run("Gradient accumulation and mixed precision", names)
    allocator = names["adalora"].allocator
    assert allocator.t == 4
    assert allocator.scores().count_nonzero()
    assert all(weight.dtype == torch.float32 for weight in values(names))


@pytest.fixture
def process_group(monkeypatch, tmp_path):
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", loopback)
    store = f"file://{tmp_path / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_one_data_parallel_process_trains_as_the_plain_loop(process_group):
    names, plain = fresh_names(), fresh_names()
    run("DistributedDataParallel", names)
    train(plain, plain["loader"])
    assert names["adalora"].trace() == plain["adalora"].trace()
    for parallel, expected in zip(values(names), values(plain), strict=True):
        torch.testing.assert_close(parallel, expected)


def test_a_saved_run_continues_bit_for_bit_and_is_merged_and_removed(capsys):
    saved, end = blocks("Saving, loading, merging, removing")
    names = fresh_names() | {"fresh_model": small_opt(), "another_model": small_opt()}
    train(names, names["loader"][:5])
    exec(saved, names)
    resumed = names | {"model": names["fresh_model"]}
    resumed |= {"adalora": names["resumed"], "optimizer": names["other"]}
    for own in (names, resumed):
        train(own, own["loader"][5:])
    assert names["adalora"].trace() == resumed["adalora"].trace()
    assert all(map(torch.equal, values(names), values(resumed)))
    exec(end, names)
    assert not adapted_layers(names["merged"])
    assert "model.decoder.layers.0.self_attn.k_proj" in capsys.readouterr().out
    original = small_opt().state_dict()
    restored = names["fresh_model"].state_dict()
    assert all(torch.equal(original[name], restored[name]) for name in original)


def test_the_parts_fit_together():
    names = fresh_names()
    run("The parts", names)
    assert names["penalty"] > 0
    assert names["allocator"].budget.triplets == 8 * 4


def test_the_exported_adapters_are_imported():
    names = fresh_names()
    train(names, names["loader"])
    run("PEFT", names)
    batch = names["loader"][0]
    with torch.no_grad():
        logits = [names[model].eval()(**batch).logits for model in ("model", "base")]
    torch.testing.assert_close(*logits, rtol=0, atol=1e-5)


def test_every_code_block_belongs_to_a_tested_section():
    sections = (
        "A training loop", "Evaluation, ending early, fewer parameters", "transformers.Trainer",
        "DistributedDataParallel", "Gradient accumulation and mixed precision", "The parts",
        "Saving, loading, merging, removing", "PEFT",
    )  # fmt: skip
    assert sum(len(blocks(section)) for section in sections) == GUIDE.count("```python")
