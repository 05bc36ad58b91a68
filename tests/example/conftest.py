"""One running chat for the module that asks for it."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from tests.support.chat import Site, Talker, running

_numbers = count(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A chat in one process, with the in-memory layer."""
    with running(tmp_path_factory.mktemp("chat")) as site:
        yield site
    assert "Traceback" not in site.processes.log(), site.processes.log()


@pytest.fixture
def talker(site: Site) -> Iterator[Callable[[], Talker]]:
    """A function that makes another user."""
    talkers: list[Talker] = []

    def make() -> Talker:
        talkers.append(Talker(site, f"talker{next(_numbers)}"))
        return talkers[-1]

    yield make
    for one in talkers:
        one.close()


@pytest.fixture
def anna(talker: Callable[[], Talker]) -> Talker:
    """A user."""
    return talker()


@pytest.fixture
def ben(talker: Callable[[], Talker]) -> Talker:
    """Another user."""
    return talker()


@pytest.fixture
def room(anna: Talker) -> str:
    """A room of the test's own."""
    return anna.open_room(f"Room{next(_numbers)}")
