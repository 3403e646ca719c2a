"""Every public function and class of adapters has an example, and the examples run."""

import doctest
import importlib
import pkgutil

import pytest
import torch
from torch import nn
from transformers import PrinterCallback, Trainer, TrainingArguments

import adapters
from tests.adapters.tiny_models import tiny_batch, tiny_opt

MODULES = [module.name for module in pkgutil.walk_packages(adapters.__path__, "adapters.")]
PUBLIC = [name for name in adapters.__all__ if callable(getattr(adapters, name))]


def examples_of(function, name):
    return doctest.DocTestParser().get_doctest(function.__doc__, {}, name, None, None)


def functions_and_classes():
    """Those with an example, by their full name."""
    documented = {}
    for module in MODULES:
        for name, value in vars(importlib.import_module(module)).items():
            is_own = getattr(value, "__module__", None) == module
            if is_own and callable(value) and ">>>" in (value.__doc__ or ""):
                documented[f"{module}.{name}"] = value
    return documented


DOCUMENTED = functions_and_classes()


def names_for(function, folder):
    """The names that the examples use without an import."""
    names = vars(importlib.import_module(function.__module__)) | vars(adapters)
    names |= {"torch": torch, "nn": nn}
    if function is adapters.RankAllocatorCallback:
        names |= names_for_a_trainer(folder)
    return names


def names_for_a_trainer(folder):
    model = tiny_opt(layers=1)
    patterns = adapters.target_patterns("opt")
    adapters.inject(model, patterns, rank=4, alpha=4, generator=torch.Generator())
    model.score.requires_grad_(True)
    args = TrainingArguments(
        str(folder), max_steps=8, report_to=[], save_strategy="no", use_cpu=True,
        dataloader_pin_memory=False, disable_tqdm=True,
    )  # fmt: skip
    batch = tiny_batch(0, rows=16)
    rows = [{key: value[row] for key, value in batch.items()} for row in range(16)]
    return {"Trainer": Trainer, "model": model, "args": args, "train": rows}


@pytest.fixture(autouse=True)
def trainers_print_nothing(monkeypatch):
    monkeypatch.setattr(PrinterCallback, "on_log", lambda *_, **__: None)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_and_class_has_an_example(name):
    assert any(full.rpartition(".")[2] == name for full in DOCUMENTED), f"{name} has no example"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_example_prints_what_the_docstring_shows(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Some examples write files.
    function = DOCUMENTED[name]
    test = examples_of(function, name)
    test.globs = names_for(function, tmp_path)
    printed = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=printed.append)
    assert result.attempted
    assert not result.failed, "".join(printed)
