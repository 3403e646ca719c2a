"""The shell of all pages: colours that can be read, scripts that may be inlined, licences."""

import re
from itertools import pairwise

import pytest

from study.analysis import html

CSS = (html.SHELL / "page.css").read_text(encoding="utf-8")
TEXT = (
    "ink", "soft", "link", "winner", "complete", "stopped", "failed", "running", "ok", "warn",
    "bad", "unknown",
)  # fmt: skip
GROUNDS = ("paper", "raised", "tint")


def colours(block: str) -> dict[str, str]:
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
    return {
        name: c if len(c) == 7 else "#" + "".join(2 * x for x in c[1:])
        for name, c in found.items()
    }


LIGHT, DARK = map(colours, re.findall(r":root \{(.*?)\}", CSS, flags=re.DOTALL))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_in_every_colour_has_the_contrast_of_aa(scheme: dict[str, str], ground: str) -> None:
    for name in TEXT:
        assert contrast(scheme[name], scheme[ground]) >= 4.5, (name, ground)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_of_categories_can_be_seen(scheme: dict[str, str]) -> None:
    hues = [scheme[f"hue-{number}"] for number in range(1, 8)]
    for hue in hues:
        assert contrast(hue, scheme["paper"]) >= 3
    assert all(one != other for one, other in pairwise(sorted(hues)))


def test_the_dark_scheme_has_every_colour_of_the_light_one() -> None:
    assert LIGHT.keys() == DARK.keys()


def test_scripts_can_stand_in_a_page() -> None:
    for file in (*html.CHARTS, *html.SHELL.parent.rglob("*.js")):
        data = file.read_bytes()
        # A browser reads \r\n as \n, so that the hash in the policy would be another.
        assert b"\r" not in data, file
        assert b"</script" not in data.lower(), file
        assert b"<!--" not in data, file


def test_each_library_has_its_licence_beside_it() -> None:
    vendor = html.SHELL / "vendor"
    names = {file.name.split(".")[0] for file in vendor.glob("*.js")}
    assert (
        names == {file.name.split(".")[0] for file in vendor.glob("*.LICENSE")} == {"d3", "plot"}
    )
    for file in html.LICENCES:
        assert "Permission to use, copy, modify" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1.23456789, None, float("nan"), True]}, '{"a":[1.23457,null,null,true]}'),
        ("</script><!--", '"\\u003c/script>\\u003c!--"'),
        ((1, "ü"), '[1,"ü"]'),
    ],
)
def test_data_can_stand_in_a_page(value: object, text: str) -> None:
    assert html.as_data(value) == text
