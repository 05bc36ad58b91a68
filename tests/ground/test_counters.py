"""Counters: every one that the package counts is known and documented, and every known one is counted somewhere."""

import ast
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import channels
from channels import counters, timings

PACKAGE = Path(channels.__file__).parent
ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^   \* - ``([a-z_.0-9]+)``\n     - (.+)$", re.MULTILINE)
NAME = re.compile(r"[a-z]+\.[a-z]+\.[a-z_0-9]+")


def _texts(node: ast.expr) -> Iterator[str]:
    """Yield what the first argument of a call of ``counters.add`` may be, as regular expressions."""
    if isinstance(node, ast.Constant):
        yield re.escape(str(node.value))
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.JoinedStr):
        parts = [re.escape(str(v.value)) if isinstance(v, ast.Constant) else "[a-z_0-9.]+" for v in node.values]
        yield "".join(parts)
    elif isinstance(node, ast.Subscript):
        yield from ()  # One of a table's values: those are literals, which the whole module is searched for.
    else:
        raise AssertionError(f"counters.add is called with {ast.unparse(node)}: use a literal, so that it can be found")


def counted() -> dict[str, str]:
    """Return each pattern of names that the package counts, and where."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "counters.add":
                where = f"{path.relative_to(PACKAGE.parent)}:{node.lineno}"
                found.update(dict.fromkeys(_texts(node.args[0]), where))
                if isinstance(node.args[0], ast.Subscript):
                    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and type(n.value) is str]
                    found.update({re.escape(text): where for text in texts if text in counters.KNOWN})
    return found


COUNTED = counted()


@pytest.mark.parametrize("pattern", COUNTED)
def test_what_is_counted_is_known(pattern: str) -> None:
    """Whoever sees a counter finds in ``counters.KNOWN`` what it means."""
    known = [name for name in counters.KNOWN if re.fullmatch(pattern, name)]
    assert known, f"{COUNTED[pattern]} counts {pattern}: add it to counters.KNOWN and to docs/reference/counters.rst"


@pytest.mark.parametrize("name", counters.KNOWN)
def test_what_is_known_is_counted(name: str) -> None:
    """No counter is promised that nothing counts."""
    assert NAME.fullmatch(name)
    assert any(re.fullmatch(pattern, name) for pattern in COUNTED)


def test_documented_counters_are_those_of_the_package() -> None:
    """The page has each counter with the words of the code, in its order."""
    page = (ROOT / "docs" / "reference" / "counters.rst").read_text(encoding="utf-8")
    assert ROW.findall(page) == list(counters.KNOWN.items())


def test_timings_fall_in_the_part_they_belong_to() -> None:
    """A bound belongs to the part below it; what is beyond the last has a part of its own."""
    before = timings.snapshot(timings.CONSUMER).get("test.bounds", timings.Timing((0,) * 15, 0.0))
    for seconds in (0.0, timings.BOUNDS[0], timings.BOUNDS[-1] + 1):
        timings.add(timings.CONSUMER, "test.bounds", seconds)
    after = timings.snapshot(timings.CONSUMER)["test.bounds"]
    grown = [new - old for new, old in zip(after.counts, before.counts, strict=True)]
    assert grown == [2, *[0] * (len(timings.BOUNDS) - 1), 1]
    assert after.total == before.total + 3


def test_timings_of_too_many_labels_share_one() -> None:
    """Labels that never end cannot fill the memory."""
    kind, most = timings.REQUEST, timings.MOST_LABELS
    for number in range(most + 5):
        timings.add(kind, f"label{number}", 0.001)
    try:
        recorded = timings.snapshot(kind)
        assert len(recorded) <= most + 1
        assert recorded[timings.OTHERS].total >= 5
    finally:
        timings.clear(kind)


@pytest.mark.parametrize(
    "count",
    [counters.add, lambda name: timings.add(timings.CONSUMER, name, 1.0)],
    ids=["counters", "timings"],
)
def test_garbage_that_is_collected_while_something_is_counted_may_count(count: Callable[[str], None]) -> None:
    """Python collects it wherever it is; the end of a coroutine that was left behind counts."""

    class Name(str):
        """What runs code of others in the middle of counting."""

        def __hash__(self) -> int:
            count("test.counted.inside")
            return super().__hash__()

    thread = threading.Thread(target=count, args=(Name("test.counted.outside"),), daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
