"""Text that is not a YAML mapping of sections: errors with file, line and rule."""

from pathlib import Path

import pytest

from study.errors import InputError
from study.spec import load_spec
from study.spec.yaml.reader import MAX_BYTES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "x.yaml: must have settings, but got an empty file; start from a shipped space, e.g.",
        ),
        ("# nothing but a comment\n", "x.yaml: must have settings"),
        ("~\n", "x.yaml: must have settings"),
        ("- 1\n", "x.yaml: must be a mapping of sections, but got a list"),
        ("text\n", "x.yaml: must be a mapping of sections, but got a str"),
        (
            "adapter:\n\tmethod: lora\n",
            "x.yaml:2: must not have tabs between values, but got one; use spaces",
        ),
        ("adapter:\n  method:\tlora\n", "x.yaml:2: must not have tabs between values"),
        (
            "training:\n  lr: 1\n  lr: 2\n",
            "x.yaml:3: training.lr: keys must differ, but got `lr` in line 2 too",
        ),
        ("seeds: {}\nseeds: {}\n", "x.yaml:2: seeds: keys must differ"),
        ("seeds: {}\n---\nseeds: {}\n", "x.yaml:2: must be a single document"),
        ("a: !!python/object:os.system ls\n", "x.yaml:1: must be plain text, numbers, lists"),
        ("training: !training {lr: 1}\n", "but got !training; quote it or remove the tag"),
        ("training: {lr: 2020-01-01}\n", "but got !!timestamp; quote it"),
        ("training: {steps: !!int x}\n", "x.yaml:1: must be a number, but got 'x'"),
        ("training: {group_by_length: !!bool maybe}\n", "x.yaml:1: must be a number"),
        ("a: &here 1\nb: *here\n", "x.yaml:1: anchors must not be used, but got &here"),
        (
            "training: {lr: 1\n",
            "x.yaml:2: must be YAML, but got an error while parsing a flow mapping",
        ),
        (
            "training:\n  lr: a: b\n",
            "x.yaml:2: must be YAML, but got an error: mapping values are not allowed",
        ),
        ("1: 2\n", "x.yaml:1: keys must be text of at most 60 characters, but got 1"),
        (f"{'k' * 61}: 2\n", "x.yaml:1: keys must be text of at most 60"),
        ("? [1]\n: 2\n", "x.yaml:1: must be plain text, numbers, lists and mappings"),
        ('backbone: {name: "a\\0b"}\n', "x.yaml:1: must be printable text on one line"),
        (b"seeds:\n  init: \xff\n", "x.yaml:2: must be UTF-8 text, but got byte 0xff"),
        (b"seeds: \x00\n", "x.yaml: must be plain YAML text, but got: unacceptable character"),
        ("a: " + "[" * 3000, "x.yaml:1: must be YAML, but got an error: nests too deep"),
        (f"training: {{steps: {'9' * 5000}}}\n", "x.yaml:1: must be a number, but got '999"),
    ],
)
def test_broken_yaml_is_refused_in_one_line(refused, text, message):
    line = refused(text)
    assert line.startswith("x.yaml:")
    assert message in line
    assert len(line) < 300


def test_a_missing_file_lists_the_known_spaces_and_the_nearest():
    with pytest.raises(InputError, match=r"^adalora_r: must be an existing YAML file or one of "):
        load_spec("adalora_r")
    with pytest.raises(
        InputError, match=r"adalora, .*smoke, but got neither; did you mean `adalora_rs`\?$"
    ):
        load_spec("adalora_r")


def test_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"must be a YAML file, but got a folder; give a file in it$"
    ):
        load_spec(str(tmp_path))


def test_a_device_is_refused():
    with pytest.raises(InputError, match=r"^/dev/null: must be a YAML file"):
        load_spec("/dev/null")


def test_a_big_file_is_refused(refused):
    assert "at most 256 KiB" in refused("#" * (MAX_BYTES + 1))


def test_a_name_that_no_file_system_accepts_is_refused():
    with pytest.raises(
        InputError, match=r"must be readable, but got: File name too long; check its path"
    ):
        load_spec("x" * 5000)


def test_a_file_without_read_permission_is_refused(refused, monkeypatch: pytest.MonkeyPatch):
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    assert refused("seeds: {}") == (
        "x.yaml: must be readable, but got: Permission denied; check its path and permissions"
    )


def test_a_byte_order_mark_is_no_error(read):
    assert read("\ufeffseeds: {init: 3}\n").seeds.init == 3


def test_numbers_follow_yaml_1_2(read):
    training = read("training: {lr: 1e-4, weight_decay: .5e-2, max_grad_norm: 2}").training
    assert (training.lr, training.weight_decay, training.max_grad_norm) == (1e-4, 5e-3, 2.0)
