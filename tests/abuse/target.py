"""What a target of fuzzing is: something that reads what others wrote, what to give it, and what must hold then.

The targets themselves are in ``targets``. ``test_targets`` tries each with what hypothesis makes up, ``fuzz`` with what
atheris finds by looking at which code an input reaches.
"""

import contextlib
import functools
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.support.loudness import Log

OF_DJANGO = (
    "ERROR django.security.DisallowedHost ",
    "WARNING django.request Bad request (Unable to parse request body): ",
)
"""Where Django itself writes a traceback: for each host that is not allowed, and each form that is none."""

Check = Callable[[Any], None]
"""Takes one input, and raises where the package does not do what it promises."""

Prepare = Callable[[], Iterator[Check]]


@dataclass(frozen=True, slots=True)
class Target:
    """One target.

    Attributes:
        name: Its name.
        text: What is tried, in one line.
        examples: What hypothesis makes up.
        prepare: A generator function that yields the check.
        seeds: Bytes to begin with, where inputs are bytes; those of other targets are made by hypothesis.
        is_raw: Whether inputs are bytes as they come.
    """

    name: str
    text: str
    examples: st.SearchStrategy[Any]
    prepare: Prepare
    seeds: Sequence[bytes]
    is_raw: bool

    @contextlib.contextmanager
    def checks(self) -> Generator[Check, None, None]:
        """Yield the check, which fails as well where a traceback is logged."""
        log = Log()
        logger = logging.getLogger("django")
        before = logger.level
        logger.addHandler(log)
        logger.setLevel(logging.DEBUG)
        try:
            with contextlib.contextmanager(self.prepare)() as check:
                yield functools.partial(_check_quietly, check, log)
        finally:
            logger.setLevel(before)
            logger.removeHandler(log)


def _check_quietly(check: Check, log: Log, value: Any) -> None:
    log.clear()
    check(value)
    assert [line for line in log.tracebacks if not line.startswith(OF_DJANGO)] == []


def target(examples: st.SearchStrategy[Any]) -> Callable[[Prepare], Target]:
    """Make a target of a generator function that yields its check, for values that hypothesis makes up."""
    return functools.partial(_make, examples, (), False)


def raw_target(*seeds: bytes) -> Callable[[Prepare], Target]:
    """Make a target of a generator function that yields its check, for bytes: anything, and things near ``seeds``."""
    return functools.partial(_make, st.binary(max_size=80) | _near(seeds), seeds, True)


def _make(examples: st.SearchStrategy[Any], seeds: Sequence[bytes], is_raw: bool, prepare: Prepare) -> Target:
    text = (prepare.__doc__ or "").splitlines()[0]
    return Target(prepare.__name__, text, examples, prepare, seeds, is_raw)


def _near(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return what differs from one of ``seeds`` in one place."""
    places = st.integers(0, max(map(len, seeds)))
    return st.builds(
        lambda seed, at, count, more: seed[:at] + more + seed[at + count :],
        *(st.sampled_from(seeds), places, st.integers(0, 4), st.binary(max_size=4)),
    )
