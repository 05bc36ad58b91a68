"""The page on what lies in Redis names every kind of key that the layer makes."""

import inspect

import pytest

from channels.layers.redis.keys import Keys
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "reference" / "redis.rst").read_text(encoding="utf-8")
KEYS = Keys("<prefix>", "<stats_prefix>")


def kinds() -> set[str]:
    """Return what the keys of a layer begin with, up to the name that they are about."""
    found = set()
    for name, member in inspect.getmembers(Keys):
        if name.startswith("_") or name.endswith("_of") or name in ("hidden", "shown", "readable"):
            continue
        if callable(member):
            found.add(member(KEYS, *["" for parameter in list(inspect.signature(member).parameters)[1:]]))
        else:
            found.add(getattr(KEYS, name))
    return found


def test_kinds_of_keys_are_found() -> None:
    """The layer has more than a few."""
    assert {"<prefix>", "<prefix>:group:", "<prefix>:processes", "<stats_prefix>#global#"} <= kinds()


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_key_is_on_the_page(kind: str) -> None:
    """With what it holds, and for how long."""
    assert f"``{kind}<" in PAGE or f"``{kind}``" in PAGE
