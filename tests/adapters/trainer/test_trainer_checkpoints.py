"""Checkpoints of a Trainer with the callback: resuming, loading, best model, refusals."""

import base64
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from adapters import RankAllocatorCallback, load_peft, merge
from tests.adapters.tiny_models import tiny_opt
from tests.adapters.trainer.trainers import (
    STEPS,
    adapted_model,
    callback_of,
    calling,
    make_trainer,
    rows_of,
)

pytestmark = pytest.mark.usefixtures("fast_garbage_collection")


@pytest.fixture(scope="module", params=["zero", "mask"])
def uninterrupted(request, tmp_path_factory):
    """A run with a checkpoint before the first event, between events, at T and after it."""
    folder = tmp_path_factory.mktemp(request.param)
    callback = callback_of(prune_mode=request.param)
    trainer = make_trainer(folder, callback, save_strategy="steps", save_steps=2, logging_steps=3)
    trainer.train()
    return request.param, trainer, callback.allocator, folder


def events_of(trainer):
    return [entry for entry in trainer.state.log_history if "budget" in entry]


@pytest.mark.parametrize(("step", "restore"), [(2, False), (4, True), (8, False), (10, False)])
def test_a_resumed_training_is_bit_equal(uninterrupted, step, restore, tmp_path, caplog):
    mode, expected, allocator, folder = uninterrupted
    shutil.copytree(folder / f"checkpoint-{step}", tmp_path / "elsewhere")
    trainer = make_trainer(
        tmp_path / "new",
        callback_of(prune_mode=mode),
        logging_steps=3,
        restore_callback_states_from_checkpoint=restore,
    )
    trainer.train(resume_from_checkpoint=str(tmp_path / "elsewhere"))
    state, other = expected.model.state_dict(), trainer.model.state_dict()
    assert state.keys() == other.keys()
    assert all(torch.equal(state[key], other[key]) for key in state)
    resumed = allocator_of(trainer)
    assert resumed.trace() == allocator.trace()
    assert torch.equal(resumed.scores(), allocator.scores())
    assert events_of(trainer) == events_of(expected)
    assert "keys in the checkpoint" not in caplog.text


def allocator_of(trainer):
    """Returns the allocator in use: the Trainer may have replaced the callback by a copy."""
    callbacks = trainer.callback_handler.callbacks
    return next(c.allocator for c in callbacks if isinstance(c, RankAllocatorCallback))


def test_a_finished_training_can_be_resumed(uninterrupted, tmp_path):
    mode, _, allocator, folder = uninterrupted
    trainer = make_trainer(tmp_path, callback_of(prune_mode=mode))
    # A Path, where another test has a string.
    trainer.train(resume_from_checkpoint=folder / f"checkpoint-{STEPS}")
    assert allocator_of(trainer).trace() == allocator.trace()


def test_a_checkpoint_loads_into_a_model_with_adapters(uninterrupted):
    _, expected, _, folder = uninterrupted
    model = adapted_model()
    model.load_state_dict(load_file(folder / f"checkpoint-{STEPS}" / "model.safetensors"))
    batch = rows_of(0)
    with torch.no_grad():
        assert torch.equal(model.eval()(**batch).logits, expected.model.eval()(**batch).logits)


@pytest.mark.parametrize("prune_mode", ["zero", "mask"])
def test_the_best_model_is_loaded_with_its_mask(tmp_path, prune_mode):
    seen = {}
    callback = callback_of(prune_mode=prune_mode)
    note = calling(
        "on_save", lambda state, _: seen.update({state.global_step: effective(trainer)})
    )
    trainer = make_trainer(
        tmp_path, callback, extra=[note],
        save_strategy="steps", save_steps=4, eval_strategy="steps", eval_steps=4,
        load_best_model_at_end=True, metric_for_best_model="step", greater_is_better=True,
    )  # fmt: skip
    best = 4
    trainer.compute_metrics = lambda _: {"step": -abs(trainer.state.global_step - best)}
    with pytest.warns(UserWarning, match=r"model is from step 4, .* event at T=8"):
        trainer.train()
    assert not torch.equal(seen[best], seen[STEPS])
    assert torch.equal(effective(trainer), seen[best])


def effective(trainer):
    """Returns the singular values used by the forward pass."""
    lams = [m.effective_lam() for m in trainer.model.modules() if hasattr(m, "lam")]
    return torch.cat(lams).detach().clone()


def test_a_checkpoint_of_another_training_is_refused(uninterrupted, tmp_path):
    mode, _, _, folder = uninterrupted
    checkpoint = str(folder / "checkpoint-6")
    trainer = make_trainer(tmp_path, callback_of(prune_mode=mode, p=0.3))
    with pytest.raises(
        ValueError, match=r"p must be that of the checkpoint, p=0\.2, but got p=0\.3"
    ):
        trainer.train(resume_from_checkpoint=checkpoint)
    trainer = make_trainer(tmp_path, callback_of(prune_mode=mode), max_steps=13)
    with pytest.raises(ValueError, match="max_steps must be that of the checkpoint, max_steps=12"):
        trainer.train(resume_from_checkpoint=checkpoint)


def test_a_checkpoint_of_adapters_with_another_scale_is_refused(uninterrupted, tmp_path):
    mode, _, _, folder = uninterrupted
    model = adapted_model()
    next(m for m in model.modules() if hasattr(m, "lam")).scale *= 2
    trainer = make_trainer(tmp_path, callback_of(prune_mode=mode), model=model)
    with pytest.raises(ValueError, match="scales must be that of the saved run"):
        trainer.train(resume_from_checkpoint=str(folder / "checkpoint-6"))


@pytest.mark.parametrize("missing", ["the callback", "its file"])
def test_a_checkpoint_without_the_allocator_is_refused(uninterrupted, tmp_path, missing):
    mode, _, _, folder = uninterrupted
    shutil.copytree(folder / "checkpoint-6", tmp_path / "checkpoint-6")
    file = tmp_path / "checkpoint-6" / "trainer_state.json"
    state = json.loads(file.read_text())
    if missing == "its file":
        (file.parent / "rank_allocator.pt").unlink()
    else:
        del state["stateful_callbacks"]["RankAllocatorCallback"]
    file.write_text(json.dumps(state))
    trainer = make_trainer(tmp_path, callback_of(prune_mode=mode))
    with pytest.raises(
        ValueError, match="must have the rank allocator's state, but got that of step 6"
    ):
        trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))


def test_the_state_of_an_older_checkpoint_is_read(tmp_path):
    """It has the allocator's state as base64 in trainer_state.json; its loss is the total one."""
    trainer = make_trainer(
        tmp_path / "first", callback_of(score_loss="total"), save_strategy="steps", save_steps=6
    )
    trainer.train()
    checkpoint = tmp_path / "first" / "checkpoint-6"
    state = json.loads((checkpoint / "trainer_state.json").read_text())
    entry = state["stateful_callbacks"]["RankAllocatorCallback"]
    del entry["args"]["score_loss"]
    file = checkpoint / "rank_allocator.pt"
    entry["allocator"] = base64.b64encode(file.read_bytes()).decode("ascii")
    file.unlink()
    (checkpoint / "trainer_state.json").write_text(json.dumps(state))
    resumed = make_trainer(tmp_path / "second", callback_of(score_loss="total"))
    resumed.train(resume_from_checkpoint=str(checkpoint))
    assert allocator_of(resumed).trace() == allocator_of(trainer).trace()
    with pytest.raises(ValueError, match="score_loss must be that of the checkpoint"):
        make_trainer(tmp_path / "third", callback_of()).train(
            resume_from_checkpoint=str(checkpoint)
        )


def test_the_trainer_state_does_not_grow_with_the_adapters(uninterrupted):
    _, _, _, folder = uninterrupted
    saved = json.loads((folder / "checkpoint-6" / "trainer_state.json").read_text())
    entry = saved["stateful_callbacks"]["RankAllocatorCallback"]
    assert set(entry) == {"args", "attributes", "total_steps"}
    assert len(json.dumps(entry)) < 1000


def test_save_model_writes_an_adapter_folder_that_loads_again(uninterrupted, tmp_path):
    _, trainer, _, _ = uninterrupted
    trainer.save_model(str(tmp_path))
    base, batch = tiny_opt(layers=1), rows_of(0)
    assert load_peft(base, tmp_path)
    with torch.no_grad():
        expected, actual = (m.eval()(**batch).logits for m in (trainer.model, base))
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


def test_a_merged_model_replaces_the_adapter_folder(tmp_path):
    trainer = make_trainer(tmp_path, callback_of())
    trainer.save_model(str(tmp_path))
    assert (tmp_path / "adapter_config.json").exists()
    merge(trainer.model)
    trainer.save_model(str(tmp_path))
    merged, batch = type(trainer.model).from_pretrained(tmp_path), rows_of(0)
    with torch.no_grad():
        expected, actual = (m.eval()(**batch).logits for m in (trainer.model, merged))
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


def test_the_state_is_in_the_folder_of_a_hyperparameter_search_s_trial(tmp_path, monkeypatch):
    trainer = make_trainer(
        tmp_path, callback_of(), max_steps=6, save_strategy="steps", save_steps=6
    )
    run = tmp_path / "run-0"
    monkeypatch.setattr(trainer, "_get_output_dir", lambda trial: str(run))
    trainer.train()
    assert (run / "checkpoint-6" / "rank_allocator.pt").is_file()
