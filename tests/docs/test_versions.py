"""The page on versions says what the package, its tests and its wire format say."""

import itertools
import re

from channels.layers.redis import codec
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "versioning.rst").read_text(encoding="utf-8")
SETUP = (ROOT / "setup.py").read_text(encoding="utf-8")
TOX = (ROOT / "tox.ini").read_text(encoding="utf-8")


def pairs() -> set[tuple[str, str]]:
    """Return the pairs of Django and Python in the page's table."""
    rows = re.findall(r"^(\d\.\d) {2,}([\d., ]+)$", PAGE, re.MULTILINE)
    return {(django, python) for django, pythons in rows for python in pythons.split(", ")}


def test_pairs_are_those_that_tox_tests() -> None:
    """None more, none less."""
    tested = set()
    for found in re.finditer(r"^ +py\{([\d,]+)\}-django\{?([\d,]+)", TOX, re.MULTILINE):
        pythons, djangos = found.groups()
        for python, django in itertools.product(pythons.split(","), djangos.split(",")):
            tested.add((f"{django[0]}.{django[1:]}", f"{python[0]}.{python[1:]}"))
    assert tested == pairs() != set()


def test_pairs_are_those_of_the_classifiers() -> None:
    """What an index shows."""
    assert {django for django, _ in pairs()} == set(re.findall(r"Framework :: Django :: ([\d.]+)", SETUP))
    assert {python for _, python in pairs()} == set(re.findall(r'Python :: (3\.\d+)"', SETUP))
    assert f'python_requires=">={min((python for _, python in pairs()), key=lambda text: int(text[2:]))}"' in SETUP


def test_version_of_entries_on_redis_is_right() -> None:
    """Processes of two releases share them."""
    (version,) = re.findall(r"version of their format, which is (\d+)", PAGE)
    assert int(version) == codec.VERSION


def test_requirements_have_no_upper_bounds() -> None:
    """As the page says."""
    assert not re.search(r'^ +"[\w\[\]-]+[^"]*<', SETUP.partition("install_requires")[2], re.MULTILINE)
