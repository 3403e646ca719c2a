"""The winner's adapters and head for `peft.PeftModel.from_pretrained`."""

from pathlib import Path
from typing import Any

from adapters import save_peft_adalora, save_peft_lora
from study.engine.stored_winner import StoredWinner
from study.errors import InputError
from study.export.formats import Written
from study.export.usage import imports_of, pooled, torch_forward, usage
from study.models import BackboneInfo, head_modules
from study.models.exported_tokenizer import write_tokenizer
from study.models.families import FAMILIES, HEADS
from study.models.pooling import own_pooling, pooling_call, pooling_remark
from study.training.peft.files import save_folder


def check(winner: StoredWinner, to: str) -> None:
    """Checks that the winner has adapters of a backbone that PEFT can load.

    Raises:
        InputError: it has none, or its backbone has random weights.
    """
    method = winner.spec.adapter.method
    if method in ("fmft", "linear_probe"):
        raise InputError(
            f"--to {to}: the winner must have adapters, but got method {method}; use --to merged"
        )
    if (method == "peft") != (to == "peft"):
        of, use = (
            ("peft", "peft-lora or peft-adalora")
            if to == "peft"
            else ("adalora_rs, adalora or lora", "peft")
        )
        raise InputError(
            f"--to {to}: the winner must be of method {of}, but got {method}; use --to {use}"
        )
    if winner.spec.backbone.random_seed is not None:
        raise InputError(
            f"--to {to}: PEFT must be able to load the backbone, but got random weights, which "
            "are not stored; use --to merged"
        )


def write(winner: StoredWinner, to: str, out: Path) -> Written:
    """Writes adapter_config.json and adapter_model.safetensors.

    `peft-lora` multiplies the singular values into P and leaves pruned triplets out. `peft` is
    PEFT's own format of any of its types.
    """
    prepared, info = winner.load()
    head = head_modules(info.family)
    if prepared.peft is not None:
        save_folder(prepared.peft, out, head=head, base_model=info.source, revision=info.revision)
    else:
        save = save_peft_lora if to == "peft-lora" else save_peft_adalora
        save(
            prepared.model.eval(),
            out,
            head=head,
            task_type="SEQ_CLS",
            base_model=info.source,
            revision=info.revision,
        )
    module, name = FAMILIES[info.family].classifier.split(":")
    model: Any = prepared.model
    pooling = winner.spec.backbone.pooling
    remark = pooling_remark(info.family, model.config, pooling, saved=False)
    remarks = [remark] if remark else []
    if module.startswith("study."):
        remarks.insert(0, f"load the model with {module}.{name}.from_pretrained")
    remarks += [remark for remark in [write_tokenizer(info, out)] if remark]
    local = info.source == str(info.folder)
    if local:  # The card is public: it does not tell where the folder is.
        remarks.append(
            "adapter_config.json has the path of the backbone's folder: change "
            "base_model_name_or_path before you share the adapter"
        )
    imports, name = imports_of(f"{module}.{name}")
    imports, load = pooled(
        [f"from peft import {'PeftConfig, ' if local else ''}PeftModel", *imports],
        _load_base(info, name, winner.labels, model.config, pooling),
        pooling_call("base", info.family, model.config, pooling),
    )
    load.append("model = PeftModel.from_pretrained(base, folder).eval()")
    tag = to.removeprefix("peft-")
    if prepared.peft is not None:
        tag = prepared.peft.config.peft_type.value.lower()
    return Written(
        remarks,
        code=usage(info, imports, load, torch_forward()),
        library="peft",
        relation="adapter",
        tags=[tag],
    )


def _load_base(info: BackboneInfo, name: str, labels: int, config: Any, pooling: str) -> list[str]:
    """Returns the lines that load the backbone as the study did."""
    local = info.source == str(info.folder)
    setting = HEADS[info.base].setting
    options = [f'num_labels={labels}, dtype="float32",']
    if setting is not None and pooling != "auto":
        options.append(f"{setting}={own_pooling(info.family, config)!r},")
    return [
        *(["backbone = PeftConfig.from_pretrained(folder).base_model_name_or_path"] * local),
        f"base = {name}.from_pretrained(",
        f"    {'backbone' if local else repr(info.source)}, {' '.join(options)}",
        "    ignore_mismatched_sizes=True,  # The head of the backbone is replaced.",
        ")",
        # Many decoders have no padding token in their config, and read one row at a time then.
        *(["base.config.pad_token_id = tokenizer.pad_token_id"] * info.causal),
    ]
