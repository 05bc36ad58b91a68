"""The team chat over Redis: one server, two worker processes, two users who know nothing but its document."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.asyncapi import DocumentedClient
from tests.support.chat import running
from tests.support.redis import RedisServer
from tests.support.teamchat import TeamSite, sign_in

CHANNEL = "RoomConsumer"
LINES = 20

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path, redis_server: RedisServer) -> Iterator[TeamSite]:
    """A team chat on Redis with two worker processes."""
    with running(tmp_path, redis_server.url, workers=2, kind=TeamSite) as site:
        assert isinstance(site, TeamSite)
        yield site


def read_document(site: TeamSite, http: httpx.Client) -> DocumentedClient:
    """Return a client with the document as the site serves it to a user."""
    headers = {"Cookie": f"sessionid={http.cookies['sessionid']}", "Origin": site.url}
    return DocumentedClient(http.get("/sockets/asyncapi.json").raise_for_status().json(), headers)


def test_lines_stay_in_order_and_events_reach_everybody(site: TeamSite) -> None:
    """Each member is told whose a line is; an event of a view runs the consumers of both."""
    with ExitStack() as stack:
        users = [stack.enter_context(sign_in(site, name)) for name in ("anna", "ben")]
        clients = [read_document(site, http) for http in users]
        sockets = [stack.enter_context(client.connect(CHANNEL, slug="everybody")) for client in clients]

        def hear(number: int, *, action: str) -> Any:
            heard = clients[number].receive(sockets[number], CHANNEL)
            assert heard["action"] == action, heard
            return heard

        for number in (0, 1):
            hear(number, action="authentication")
            hear(number, action="history")
        for line in range(LINES):
            sockets[0].send(json.dumps({"action": "say", "payload": {"text": str(line)}}))
        for number in (0, 1):
            said = [hear(number, action="said") for _ in range(LINES)]
            assert [each["payload"]["text"] for each in said] == [str(line) for line in range(LINES)]
            assert {each["is_mine"] for each in said} == {number == 0}
        users[1].get("/login/")
        form = {"topic": "Redis", "csrfmiddlewaretoken": users[1].cookies["csrftoken"]}
        assert users[1].post("/rooms/everybody/topic/", data=form).status_code == 204
        for number in (0, 1):
            assert hear(number, action="topic")["payload"] == {"topic": "Redis", "may_change": True}
