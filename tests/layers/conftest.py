"""What several tests of layers need beside the servers of ``tests/conftest.py``."""

from collections.abc import Iterator

import pytest

from tests.support.cluster import RedisCluster
from tests.support.redis import find_newest


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[RedisCluster]:
    """Three masters that the tests leave as they are."""
    cluster = RedisCluster(find_newest())
    try:
        yield cluster.start()
    finally:
        cluster.close()
