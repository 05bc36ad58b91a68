"""One running team chat for each module."""

from collections.abc import Iterator

import pytest

from tests.support.chat import running
from tests.support.teamchat import TeamPage, TeamSite
from tests.support.visitors import two_visitors

FAILURES = ("Error processing message", "Failed to process", "Internal Server Error")
"""How the log begins to tell of something that nobody meant."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamSite]:
    """A team chat in one process, with the in-memory layer."""
    with running(tmp_path_factory.mktemp("teamchat"), kind=TeamSite) as site:
        assert isinstance(site, TeamSite)
        yield site
    for failure in FAILURES:
        assert failure not in site.processes.log(), site.processes.log()


@pytest.fixture(scope="module")
def pages(site: TeamSite) -> Iterator[tuple[TeamPage, TeamPage]]:
    """Two users in two browsers; the first one is of the staff."""
    with two_visitors(TeamPage, site) as pair:
        yield pair


@pytest.fixture
def anna(pages: tuple[TeamPage, TeamPage]) -> Iterator[TeamPage]:
    """A user in the room of everybody, whose browser has nothing to complain of."""
    pages[0].enter("everybody")
    pages[0].complaints()
    yield pages[0]
    assert pages[0].complaints() == []


@pytest.fixture
def ben(pages: tuple[TeamPage, TeamPage]) -> TeamPage:
    """Another user there."""
    pages[1].enter("everybody")
    return pages[1]
