"""AdaLoraRS in transformers.Trainer."""

import pytest
import torch

from adapters import AdaLoraRS
from tests.adapters.door.test_adalora_rs import assert_equal, weights
from tests.adapters.tiny_models import tiny_opt
from tests.adapters.trainer.trainers import STEPS, make_trainer

pytestmark = pytest.mark.usefixtures("fast_garbage_collection")
RANKS = {"model.decoder.layers.0.fc1": 3, "model.decoder.layers.0.fc2": 5}


def door(total_steps=STEPS, **settings):
    model = tiny_opt(layers=1)
    model.accepts_loss_kwargs = False
    shape = {"b0": RANKS, "bT": 2} | settings
    return AdaLoraRS(model, ["fc1", "fc2"], total_steps=total_steps, deltaT=3, seed=1, **shape)


@pytest.mark.parametrize("settings", [{}, {"unit": "parameters", "bT": 200}])
def test_the_trainer_trains_it_and_resumes_bit_for_bit(tmp_path, settings):
    adalora = door(**settings)
    options = {"model": adalora.model, "save_strategy": "steps", "save_steps": 4}
    make_trainer(tmp_path, adalora.callback(), **options).train()
    assert [event["t"] for event in adalora.trace()] == [3, 6, 9]
    assert adalora.allocator.t == STEPS
    resumed = door(**settings)
    trainer = make_trainer(tmp_path, resumed.callback(), **options | {"model": resumed.model})
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert_equal(weights(resumed.model), weights(adalora.model))
    assert resumed.trace() == adalora.trace()
    assert torch.equal(resumed.allocator.scores(), adalora.allocator.scores())


def test_a_trainer_with_another_number_of_steps_is_refused(tmp_path):
    adalora = door(total_steps=20)
    trainer = make_trainer(tmp_path, adalora.callback(), model=adalora.model)
    with pytest.raises(ValueError, match=r"total_steps must be the Trainer's 12 .* got .*=20"):
        trainer.train()
