"""Delay servers in processes, one of them killed, told to end or stopped at a random moment: each message comes once.

``DELAYED_MESSAGES`` says how many messages, 1,000 unless told otherwise. The long form, with its figures printed:
``DELAYED_MESSAGES=10000 pytest tests/delay/test_killed_servers.py``.
"""

import os
import random
import signal
import time

import pytest

from tests.support.delays import SECONDS, Delays, on_postgres, on_sqlite
from tests.support.suites import serve_postgres

MESSAGES = int(os.environ.get("DELAYED_MESSAGES", "1000"))
FIRST_SECONDS = 3 + MESSAGES / 2000
SPAN_SECONDS = 2 + MESSAGES / 250
STILL_SECONDS = 3
"""Longer than ``redelivery_after``."""

pytestmark = pytest.mark.slow

postgres = pytest.fixture(scope="module")(serve_postgres)


@pytest.fixture
def site(request, tmp_path, redis_url):
    """Delay servers on a database of their own."""
    is_sqlite = request.param == "sqlite"
    database = on_sqlite(tmp_path) if is_sqlite else on_postgres(request.getfixturevalue("postgres"))
    site = Delays(tmp_path, redis_url, *database)
    yield site
    site.close()


@pytest.mark.parametrize(
    ("site", "count"), [("postgresql", 2), ("sqlite", 1), ("sqlite", 2)], indirect=["site"], ids=str
)
def test_every_message_comes_once_when_a_server_is_killed(site, count, capsys):
    """The other server goes on; of a single one, another takes the place."""
    servers = [site.start() for _ in range(count)]
    began = time.monotonic()
    moment = random.uniform(0, 0.9 * (FIRST_SECONDS + SPAN_SECONDS))

    killed = []

    def kill_in_time():
        if not killed and time.monotonic() - began >= moment:
            killed.append(servers.pop())
            site.kill(killed[0])
            if not servers:
                site.start()

    site.ask(MESSAGES, FIRST_SECONDS, SPAN_SECONDS)
    site.collect(MESSAGES, kill_in_time)
    with capsys.disabled():
        print(f"\n{MESSAGES} messages, one of {count} servers killed after {moment:.1f} s: {site.lateness()}")
    assert killed
    assert site.times_delivered() == {1: MESSAGES}
    assert site.layer.channel_statistics("asgi.delay")["messages_pending"] == 0


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSTOP], ids=lambda number: number.name)
def test_every_message_comes_once_when_a_server_ends_or_stands_still(site, number):
    """The other server goes on; who stood still, longer than it takes until the layer delivers again, does no harm."""
    server, _ = site.start(), site.start()
    moment = time.monotonic() + random.uniform(0, 0.9 * (FIRST_SECONDS + SPAN_SECONDS))
    done = []

    def signal_in_time():
        if not done and time.monotonic() >= moment:
            done.append(number)
            server.send_signal(number)
            if number == signal.SIGSTOP:
                time.sleep(STILL_SECONDS)
                server.send_signal(signal.SIGCONT)
            else:
                assert server.wait(SECONDS) == 0, site.processes.log()

    site.ask(MESSAGES, FIRST_SECONDS, SPAN_SECONDS)
    site.collect(MESSAGES, signal_in_time)
    assert done
    assert site.times_delivered() == {1: MESSAGES}
    assert "Traceback" not in site.processes.log()
