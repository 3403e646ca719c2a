"""The README's code runs, its spaces exist, its options are the command's."""

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest
import torch
from transformers import OPTConfig, OPTForSequenceClassification

from study.cli import parse_benchmark, parse_study
from study.export import _parser as parse_export
from study.spec import load_spec
from study.spec.benchmark.loading import load_benchmark
from study.spec.loading import shipped_spaces

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_adapter_example_trains_and_prunes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    small = OPTConfig(
        vocab_size=32, hidden_size=16, ffn_dim=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=32, word_embed_proj_dim=16,
    )  # fmt: skip
    monkeypatch.setattr(
        OPTForSequenceClassification,
        "from_pretrained",
        lambda name, dtype: OPTForSequenceClassification(small).to(dtype),
    )
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 32, (120, 4, 12), generator=generator)
    loader = [{"input_ids": batch, "labels": batch[:, 0] % 2} for batch in ids]
    example = blocks("python")[0]
    names_in_it = {"loader": loader}
    exec(example, names_in_it)
    budget = names_in_it["budget"]
    assert "'t': 102" in capsys.readouterr().out
    assert [t for t, _ in budget.events()] == [100, 102]
    assert any(
        module.P.grad is None and module.lam.any() for module in names_in_it["adapters"].values()
    )


def test_the_other_examples_are_python_and_what_they_import_is_there() -> None:
    for example in blocks("python")[1:]:
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom):
                assert node.module is not None
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)


def test_every_command_of_the_readme_is_one_that_the_parser_knows() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    runs = [line.split("#")[0] for line in lines if "study.run" in line]
    assert len(runs) >= 6
    for line in runs:
        parse_study(line.split("study.run")[1].split())


def test_every_space_of_the_readme_is_shipped() -> None:
    named = {
        command: set(re.findall(rf"study\.{command} --space (\w+)(?:\.yaml)?", README))
        for command in ("run", "benchmark")
    }
    assert named["run"] - {"my_space"} <= set(shipped_spaces())
    assert named["benchmark"] == set(shipped_spaces("benchmarks"))
    assert all(f"`{name}`" in README for name in shipped_spaces())


def test_every_benchmark_of_the_readme_is_one_that_the_parser_knows() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    runs = [line.split("#")[0] for line in lines if "study.benchmark" in line]
    assert len(runs) >= 3
    for line in runs:
        parsed = parse_benchmark(shlex.split(line.split("study.benchmark")[1]))
        load_benchmark(parsed.space, parsed.set)


@pytest.mark.parametrize("name", shipped_spaces())
def test_every_shipped_space_reads(name: str) -> None:
    assert load_spec(name).search.trials >= 1


def test_the_other_commands_of_the_readme_are_ones_that_their_parsers_know() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    exports = [line.split("#")[0] for line in lines if "study.export" in line]
    assert len(exports) >= 1
    for line in exports:
        parse_export().parse_args(line.split("study.export")[1].split())


def test_the_four_methods_get_the_same_search_effort() -> None:
    specs = [load_spec(name) for name in ("adalora_rs", "adalora", "lora", "fmft")]
    for section in ("task", "search", "scheduler", "seeds"):
        assert len({getattr(spec, section).model_dump_json() for spec in specs}) == 1, section
    assert len({(s.training.steps, s.training.reports, s.training.batch_size) for s in specs}) == 1
