"""AdaLoRA+RS inside `transformers.Trainer`: the rank allocator as a callback.

    method of the callback            action
    on_init_end                       checks that the model has adapters
    on_train_begin                    makes the budget (T_total is the Trainer's max_steps) and
                                      the allocator, or loads the allocator's state
    on_step_begin                     sets .grad to the gradient of gamma · orthogonality
    (backward, once per batch)        adds the gradients of the task's loss
    (clipping, optimizer.step)
    on_optimizer_step                 calls RankAllocator.step
    on_step_end                       logs a mask event as the Trainer logs the loss: in its log
                                      history and by its reporters (TensorBoard, W&B, MLflow)
    on_save                           writes the allocator's state into the checkpoint
    on_init_end                       also lets `save_pretrained`, which the Trainer calls to write
                                      a model, write an adapter folder beside it

The penalty is part of no loss: reported losses do not contain it, and custom losses and label
smoothing need no change. Its gradient is set before the backward passes because on_step_begin is
the only event that occurs once per optimizer step, independent of gradient accumulation, and
before clipping. Under DDP every process sets the same gradient, and averaging over the processes
does not change it.

Step t of the allocator is the Trainer's global step. Both count steps skipped by the loss scaler
of fp16; the gradients of such a step do not enter the importance scores.

callback.py  the callback, and the budget of a Trainer's run
checks.py    models and optimizers that are refused
files.py     the allocator's state in a checkpoint, and the adapter folder beside a model
"""

from adapters.trainer_callback.callback import RankAllocatorCallback

__all__ = ["RankAllocatorCallback"]
