"""Error messages of adapters state the rule and the value: "RULE, but got FOUND; FIX"."""

import ast
from pathlib import Path

import pytest

import adapters


def messages():
    folder = Path(adapters.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func)
                if name in ("ValueError", "RuntimeError"):
                    yield pytest.param(
                        text_of(node.exc), id=f"{file.relative_to(folder)}:{node.lineno}"
                    )


def text_of(call):
    """Returns the constant parts of a message, with `{}` in place of the values."""
    parts = call.args[0].values if isinstance(call.args[0], ast.JoinedStr) else call.args
    return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)


@pytest.mark.parametrize("message", list(messages()))
def test_a_message_has_a_rule_and_what_was_found(message):
    rule, separator, value = message.partition(", but got ")
    assert " must " in rule
    assert separator
    assert value
    assert not message.endswith(".")
