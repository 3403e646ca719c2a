"""The README's code runs, its space reads, and it names every shipped space and every guide."""

import ast
import importlib
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import OPTConfig, OPTForSequenceClassification

from adapters import AdaLoraRS
from study.spec import StudySpec, load_spec
from study.spec.loading import read_spec, shipped_spaces

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_adapter_example_trains_prunes_and_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    small = OPTConfig(
        vocab_size=32, hidden_size=16, ffn_dim=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=32, word_embed_proj_dim=16,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 32, (120, 4, 12), generator=generator)
    given = {
        "model": OPTForSequenceClassification(small),
        "data": [{"input_ids": batch, "labels": batch[:, 0] % 2} for batch in ids],
    }
    [example] = blocks(README, "python")
    monkeypatch.chdir(tmp_path)
    exec(example, given)
    adalora: AdaLoraRS = given["adalora"]
    assert [event["t"] for event in adalora.trace()][-1] == 90
    lams: list[Tensor] = [module.lam for module in adalora.layers.values()]
    assert 0 < sum(int(lam.count_nonzero()) for lam in lams) < 8 * len(lams)
    assert any((tmp_path / "my-adapters").iterdir())


def test_the_space_of_the_readme_reads_and_is_twelve_lines() -> None:
    [text] = blocks(README, "yaml")
    assert len(text.splitlines()) <= 12
    assert set(read_spec(text, "README.md").domains) == {"p", "bT", "deltaT", "lr"}


def test_every_shipped_space_and_benchmark_is_named_in_the_readme() -> None:
    for name in (*shipped_spaces(), *shipped_spaces("benchmarks")):
        assert f"`{name}`" in README, name


def test_every_guide_is_in_the_table_of_the_readme() -> None:
    targets = re.findall(r"\]\((\S+?)\)", README.partition("## Guides")[2])
    listed = {target.removesuffix("README.md").rstrip("/") for target in targets}
    found = {
        path.parent.relative_to(ROOT).as_posix()
        for folder in ("adapters", "study", "search_spaces", "tests")
        for path in (ROOT / folder).rglob("README.md")
    }
    assert found - listed == {"study/models/opt_dna_mini"}


@pytest.mark.parametrize(
    "guide", ["study/models/README.md", "study/analysis/comparison/README.md"]
)
def test_the_imports_in_python_code_of_a_guide_exist(guide: str) -> None:
    text = (ROOT / guide).read_text(encoding="utf-8")
    inline = re.findall(r"`(from \S+ import \S+)`", text)
    examples = [*blocks(text, "python"), *inline]
    assert examples
    for example in examples:
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom):
                assert node.module is not None
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize(
    "section", blocks((ROOT / "search_spaces/README.md").read_text(encoding="utf-8"), "yaml")
)
def test_the_sections_in_the_guide_to_spaces_are_valid(section: str, tmp_path: Path) -> None:
    whole = (ROOT / "search_spaces/adalora_rs.yaml").read_text(encoding="utf-8")
    keys = re.findall(r"^(\w+):", section, flags=re.MULTILINE)
    if "adapter" in keys:
        keys.append("points")
    for key in keys:
        whole = re.sub(rf"^{key}:.*\n(?:[ #].*\n|\n)*", "", whole, flags=re.MULTILINE)
    file = tmp_path / "space.yaml"
    file.write_text(whole + section, encoding="utf-8")
    assert isinstance(load_spec(str(file)), StudySpec)
