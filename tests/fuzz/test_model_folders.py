"""Damaged model folders: each loads as the sound one, or is refused in one line."""

import io
import json
import random
import shutil
import struct
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from study.errors import InputError
from study.models import check_backbone, inspect_backbone
from study.models.families import PRETRAINED
from study.models.tokenization import load_tokenizer
from tests.error_texts import PATTERN
from tests.fuzz.mutations import damaged_bytes, damaged_value, time_limit
from tests.study.models.checkpoints import random_dna, write_checkpoint

pytestmark = pytest.mark.chaos

CASES = 1_500
SECONDS = 30
"""The longest that one folder may take."""
FORMATS = ("safetensors", "bin", "old bin", "sharded safetensors")
SEQUENCES = random_dna(3, 40)
TOKENISING = ("bytes of json", "bytes of txt", "values of ")
"""Kinds of damage that may be of a tokenizer's file."""
UNSEEN = (
    "values of config.json", "bytes of json", "bytes of safetensors", "header of safetensors",
    "bytes of old bin", "pickle in bin",
)  # fmt: skip
"""Kinds that may leave sound files of another model.

config.json may describe other settings for the same weights. Only the .bin of torch since 1.6 has
sums of its tensors; here they are made anew when its pickle is damaged.
"""


def written(folder: Path, family: str, file_format: str) -> None:
    """Writes a sound model in a format."""
    options = {"max_shard_size": "8KB"} if file_format.startswith("sharded") else {}
    write_checkpoint(folder, family, **options)
    if file_format.endswith("bin"):
        path = folder / "model.safetensors"
        torch.save(
            load_file(path),
            folder / "pytorch_model.bin",
            _use_new_zipfile_serialization=file_format == "bin",
        )
        path.unlink()


def damage(path: Path, rng: random.Random) -> str:
    """Damages a file in place; returns the kind of damage."""
    data = path.read_bytes()
    if path.suffix == ".json" and rng.random() < 0.7:
        changed = json.loads(data)
        for _ in range(rng.choice((1, 1, 1, 3))):
            changed = damaged_value(changed, rng)
        path.write_text(json.dumps(changed), encoding="utf-8", errors="surrogatepass")
        return f"values of {path.name}"
    if path.suffix == ".safetensors" and rng.random() < 0.4:
        path.write_bytes(_with_header(data, rng))
        return "header of safetensors"
    if path.suffix == ".bin" and data[:2] == b"PK" and rng.random() < 0.4:
        path.write_bytes(_with_pickle(data, rng))
        return "pickle in bin"
    if path.suffix == ".safetensors" and rng.random() < 0.2:
        return _not_finite(path, rng)
    path.write_bytes(damaged_bytes(data, rng))
    old = "old " if path.suffix == ".bin" and data[:2] != b"PK" else ""
    return f"bytes of {old}{path.suffix[1:]}"


def _with_header(data: bytes, rng: random.Random) -> bytes:
    """A safetensors file whose header is JSON of the right length, with one odd value."""
    (size,) = struct.unpack("<Q", data[:8])
    header = json.dumps(damaged_value(json.loads(data[8 : 8 + size]), rng)).encode()
    return struct.pack("<Q", len(header)) + header + data[8 + size :]


def _with_pickle(data: bytes, rng: random.Random) -> bytes:
    """A .bin with right sums whose pickle is damaged."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(".pkl"):
                content = damaged_bytes(content, rng)
            target.writestr(name, content)
    return out.getvalue()


def _not_finite(path: Path, rng: random.Random) -> str:
    state = load_file(path)
    name = rng.choice([name for name in state if "pooler" not in name and "head" not in name])
    state[name].view(-1)[rng.randrange(state[name].numel())] = rng.choice((torch.nan, torch.inf))
    save_file(state, path)
    return "a number that is not finite"


Result = tuple[list[list[int]], str | None]
"""The tokens of a few sequences, and the hash of the weights."""


def tried(folder: Path) -> Result | str:
    """Returns what loads, or the message of the refusal; another error is a fault."""
    try:
        info = inspect_backbone(str(folder))
        rows = load_tokenizer(info)(SEQUENCES)
        checked, _ = check_backbone(info, num_labels=3, dtype="float32")
    except InputError as error:
        return str(error)
    assert all(0 <= i < info.vocab_size for row in rows for i in row)
    return rows, checked.weights


def judged(kind: str, result: Result | str, sound: Result) -> str:
    """Returns the outcome; damage that the files show must not be accepted."""
    if isinstance(result, str):
        assert PATTERN.fullmatch(result), result
        assert len(result) < 1500, result
        assert result.isprintable(), ascii(result)
        return "refused"
    other = [
        name
        for name, now, before in zip(("tokens", "weights"), result, sound, strict=True)
        if now != before
    ]
    assert "tokens" not in other or kind.startswith(TOKENISING), "other tokens"
    assert "weights" not in other or kind in UNSEEN, "other weights"
    return f"loaded, other {' and '.join(other)}" if other else "loaded"


@pytest.mark.filterwarnings("ignore")  # The libraries warn of some damage.
def test_a_damaged_model_loads_as_the_sound_one_or_is_refused_in_one_line(tmp_path: Path) -> None:
    sound: dict[Path, Result] = {}
    for family in PRETRAINED:
        for file_format in FORMATS:
            folder = tmp_path / f"{family} {file_format}"
            written(folder, family, file_format)
            result = tried(folder)
            assert not isinstance(result, str), result
            sound[folder] = result
    outcomes: Counter[str] = Counter()
    for case in range(CASES):
        outcomes[tried_case(case, sound, tmp_path / "case")] += 1
    print(f"{CASES} model folders")  # noqa: T201
    for text, count in sorted(outcomes.items()):
        print(f"{count:6} {text}")  # noqa: T201
    assert sum(n for text, n in outcomes.items() if text.endswith("refused")) > CASES // 3


def tried_case(case: int, sound: dict[Path, Result], folder: Path) -> str:
    """Damages a copy of a sound folder; returns the kind of damage and the outcome."""
    rng = random.Random(case)
    source = rng.choice(list(sound))
    shutil.copytree(source, folder)
    path = rng.choice(sorted(path for path in folder.iterdir() if path.is_file()))
    kind = damage(path, rng)
    named = f"case {case}, {source.name}, {kind} of {path.name}"
    try:
        with time_limit(SECONDS, named):
            outcome = judged(kind, tried(folder), sound[source])
    except Exception as error:
        raise AssertionError(named) from error
    shutil.rmtree(folder)
    return f"{kind}: {outcome}"
