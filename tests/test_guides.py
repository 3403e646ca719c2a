"""README.md and the guides beside the code: length, links, paths, commands and their spaces."""

import argparse
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from study.spec import load_spec
from study.spec.benchmark.loading import load_benchmark
from study.spec.benchmark.schema import BenchmarkSpec
from study.spec.domains import DOMAINS
from study.spec.loading import shipped_spaces
from study.spec.schema import StudySpec
from study.storage.parsing import CLASSES

ROOT = Path(__file__).parent.parent
FOLDERS = ("adapters", "study", "search_spaces", "tests")
GUIDES = [
    ROOT / "README.md",
    *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("README.md"))),
]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in GUIDES}
YOURS = ("my_space", "a.yaml", "b.yaml", "lora-2e-3.yaml", "fmft-1e-3.yaml")
"""Files that a guide supposes, or makes, in the reader's folder."""

Command = list[str]


class Parsed(BaseException):
    """Carries what a command's own parser has read."""


def simple_commands(text: str) -> Iterator[Command]:
    """The commands of a guide's `sh` blocks as words; ends of lines, pipes and `&&` end one."""
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        script = re.sub(r"(^|\s)#.*$", "", block.replace("\\\n", " "), flags=re.MULTILINE)
        lexer = shlex.shlex(script, posix=True, punctuation_chars="|&;<>()\n")
        lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t", "", True
        command: Command = []
        for word in lexer:
            if set(word) <= set("|&;<>()\n"):
                yield command
                command = []
            else:
                command.append(word)
        yield command


COMMANDS = [
    pytest.param(command[place + 2], command[place + 3 :], id=f"{guide}: {' '.join(command)[:90]}")
    for guide, text in TEXTS.items()
    for command in simple_commands(text)
    for place in range(len(command))
    if command[place : place + 2] == ["python", "-m"] and command[place + 2].startswith("study.")
]


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads arguments by the parser of a command, which then does nothing else."""
    read = argparse.ArgumentParser.parse_args

    def read_only(self: argparse.ArgumentParser, *given: Any) -> argparse.Namespace:
        raise Parsed(read(self, *given))

    def parse(command: str, arguments: Command) -> argparse.Namespace:
        module = import_module(command)
        main = (
            module.main if hasattr(module, "main") else import_module(f"{command}.__main__").main
        )
        with monkeypatch.context() as patched:
            patched.setattr(argparse.ArgumentParser, "parse_args", read_only)
            with pytest.raises(Parsed) as caught:
                main(arguments)
        parsed: argparse.Namespace = caught.value.args[0]
        return parsed

    return parse


@pytest.mark.parametrize("guide", TEXTS)
def test_a_guide_is_short(guide: str) -> None:
    assert len(TEXTS[guide].splitlines()) <= (200 if guide == "README.md" else 250)


@pytest.mark.parametrize("guide", TEXTS)
def test_links_and_pictures_of_a_guide_lead_somewhere(guide: str) -> None:
    prose = re.sub(r"```.*?```", "", TEXTS[guide], flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'(?:src|href)="([^"]+)"', prose)
    for target in targets:
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / guide).parent / path if path else ROOT / guide
        assert file.exists(), target
        if anchor:
            page = file / "README.md" if file.is_dir() else file
            assert anchor in anchors(page.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_recorded_picture_is_shown_by_a_guide() -> None:
    pictures = [
        path
        for ending in ("svg", "png")
        for path in (ROOT / "tests" / "data").rglob(f"*.{ending}")
    ]
    assert pictures
    for picture in pictures:
        assert any(picture.relative_to(ROOT).as_posix() in text for text in TEXTS.values()), (
            picture
        )


@pytest.mark.parametrize("guide", TEXTS)
def test_paths_that_a_guide_names_exist(guide: str) -> None:
    prose = re.sub(r"```.*?```", "", TEXTS[guide], flags=re.DOTALL)
    for path in re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./*-]*)`", prose):
        places = (ROOT, (ROOT / guide).parent)
        assert any(list(place.glob(path.rstrip("/"))) for place in places), path


@pytest.mark.parametrize(("command", "arguments"), COMMANDS)
def test_a_command_of_a_guide_is_one_that_its_parser_knows(
    command: str, arguments: Command, parse: Any
) -> None:
    if command == "study.cluster":
        cut = arguments.index("--") if "--" in arguments else len(arguments)
        target = parse(command, arguments[:cut])
        arguments = arguments[cut + 1 :]
        if not arguments:  # `ray-up` makes a cluster for many studies.
            return
        command = "study.benchmark" if target.benchmark else "study.run"
    check(command, parse(command, arguments))


def check(command: str, parsed: argparse.Namespace) -> None:
    """Reads the spaces that a command line names, with its settings."""
    if command == "study.benchmark":
        load_benchmark(parsed.space, parsed.set)
    elif command == "study.run" and parsed.space is not None:
        yours = Path(parsed.space).stem in YOURS
        load_spec("adalora_rs" if yours else parsed.space, parsed.set)
    elif command == "study.seeds":
        for name in (*parsed.config, *parsed.against):
            assert (
                name in YOURS or "/" in name or name.removesuffix(".yaml") in shipped_spaces()
            ), name
        varied = [one for text in parsed.vary for one in text.split(",")]
        load_spec("adalora_rs", [*parsed.set, *varied])


def test_benchmarks_and_environments_that_guides_run_exist() -> None:
    environments = (ROOT / "tox.ini").read_text(encoding="utf-8")
    benchmarks = set()
    for text in TEXTS.values():
        for command in simple_commands(text):
            if command[:2] == ["python", "-m"] and not command[2].startswith("study."):
                assert find_spec(command[2]), command
                benchmarks.add(command[2])
            if command[:2] == ["tox", "-e"]:
                assert f"[testenv:{command[2]}]" in environments
    assert len(benchmarks) >= 7


def test_every_event_is_in_the_guide_to_the_study_folder() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", TEXTS["study/storage/README.md"], flags=re.MULTILINE)
    assert set(CLASSES) <= set(rows)


@pytest.mark.parametrize("model", [StudySpec, BenchmarkSpec, *DOMAINS.values()])
def test_every_key_of_a_space_is_in_its_guide(model: type[BaseModel]) -> None:
    spans = re.findall(r"`([^`\n]+)`", TEXTS["search_spaces/README.md"])
    named = {word for span in spans for word in re.findall(r"\w+", span)}
    headings = re.findall(r"^## (.+)$", TEXTS["search_spaces/README.md"], flags=re.MULTILINE)
    named |= {word for heading in headings for word in re.findall(r"\w+", heading)}
    assert keys(model) - named == set()


def keys(model: type[BaseModel]) -> set[str]:
    """The names of a schema's fields, and of those of the sections in it."""
    found = set(model.model_fields)
    for field in model.model_fields.values():
        for section in sections(field.annotation):
            found |= keys(section)
    return found


def sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a field may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from sections(part)
