"""The pages of typed consumers: who may see them, what they show, and what they do not load."""

import html
import json
import re
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.template.loader import render_to_string
from django.test import Client

from channels.test import apply_routes
from channels.test.typed import override_typed_settings
from channels.typed.pages.reference import Row, rows_of
from tests.asyncapi import desk

PAGES = ["/sockets/", "/sockets/asyncapi.json", "/sockets/asyncapi.yaml", "/sockets/playground/"]

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("routed"), pytest.mark.urls("tests.asyncapi.urls")]


def visitor(**rights: bool) -> Client:
    """Return the client of a user who is logged in."""
    client = Client()
    client.force_login(User.objects.create_user("ada", **rights))
    return client


@pytest.fixture
def staff() -> Client:
    """Somebody who may see everything."""
    return visitor(is_staff=True)


def read_data(page: str) -> Any:
    """Return what the playground's script reads."""
    found = re.search(r'<script id="playground-data" type="application/json">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("path", PAGES)
def test_staff_sees_the_page(staff: Client, path: str) -> None:
    """Each of them."""
    assert staff.get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_others_do_not_see_the_page(path: str) -> None:
    """Users get 403; who is not logged in may do so, and programs get 403."""
    assert visitor().get(path).status_code == 403
    assert Client().get(path).status_code == (403 if "asyncapi" in path else 302)


def test_visitors_log_in_where_their_kind_does(settings: Any) -> None:
    """The staff in the admin site, if the project has one; others on the page of the project."""
    settings.LOGIN_URL = "/enter/"
    assert Client().get("/sockets/")["Location"] == "/admin/login/?next=/sockets/"
    with override_typed_settings(ASYNCAPI_ACCESS="authenticated"):
        assert Client().get("/sockets/")["Location"] == "/enter/?next=/sockets/"
    settings.ROOT_URLCONF = "tests.asyncapi.urls_without_admin"
    assert Client().get("/sockets/")["Location"] == "/enter/?next=/sockets/"


def has_header(request: Any) -> bool:
    """Judge a visitor as a project might."""
    return bool(request.headers.get("X-Colleague") == "yes")


def test_settings_open_the_pages() -> None:
    """Each for itself: to everybody, to users, or to whom a function of the project admits."""
    with override_typed_settings(ASYNCAPI_ACCESS="everybody"):
        assert [Client().get(path).status_code for path in PAGES] == [200, 200, 200, 302]
    with override_typed_settings(PLAYGROUND_ACCESS="authenticated"):
        assert visitor().get(PAGES[3]).status_code == 200
        assert Client().get(PAGES[3]).status_code == 302
    with override_typed_settings(ASYNCAPI_ACCESS=f"{__name__}.has_header"):
        assert Client().get(PAGES[1], headers={"X-Colleague": "yes"}).status_code == 200
        assert Client().get(PAGES[1]).status_code == 403


@pytest.mark.parametrize("value", ["nobody", "no.such.function", None, 7])
def test_strange_setting_is_named(staff: Client, value: Any) -> None:
    """It opens nothing."""
    with override_typed_settings(ASYNCAPI_ACCESS=value), pytest.raises(ImproperlyConfigured, match="ASYNCAPI_ACCESS"):
        staff.get("/sockets/asyncapi.json")


def test_function_that_nobody_would_await_opens_nothing(staff: Client) -> None:
    """What it returns would be true for everybody."""

    async def judge(request: Any) -> bool:
        return False

    with override_typed_settings(ASYNCAPI_ACCESS=judge), pytest.raises(ImproperlyConfigured, match="async function"):
        staff.get("/sockets/asyncapi.json")


def test_missing_middleware_is_named(settings: Any) -> None:
    """The pages cannot know who asks without it."""
    settings.MIDDLEWARE = []
    with pytest.raises(ImproperlyConfigured, match="AuthenticationMiddleware"):
        Client().get("/sockets/")


def test_document_has_the_address_of_the_site(staff: Client) -> None:
    """In both forms, unless the project says where it is."""
    found = staff.get("/sockets/asyncapi.json", secure=True)
    assert found["Content-Type"] == "application/json"
    assert found.json()["servers"]["site"] == {"host": "testserver", "protocol": "wss"}
    assert yaml.safe_load(staff.get("/sockets/asyncapi.yaml").content)["servers"]["site"]["protocol"] == "ws"
    with override_typed_settings(WEBSOCKET_BASE_URL="wss://live.example.com"):
        assert staff.get("/sockets/asyncapi.json").json()["servers"]["site"]["host"] == "live.example.com"


def test_reference_shows_channels_and_fields(staff: Client) -> None:
    """Addresses, operations, what they are for, and the fields of messages with their constraints."""
    page = html.unescape(staff.get("/sockets/").content.decode())
    for text in (
        "/desks/{building}/",
        "Take a question.",
        "payload.answer_by",
        "length at most 80",
        "Answered with",
    ):
        assert text in page
    for name in ("Desk", "Counter"):
        assert f'id="{name}"' in page


def test_playground_knows_consumers_and_drafts(staff: Client) -> None:
    """A draft for each action, in the spelling of the wire."""
    data = read_data(staff.get("/sockets/playground/").content.decode())
    assert data["server"] == "ws://testserver"
    first, second = data["consumers"]
    assert (first["name"], first["path"], first["description"]) == (
        "Desk",
        "/desks/{building}/",
        "A desk to ask questions at.",
    )
    assert first["parameters"][0]["choices"] == ["north", "south"]
    assert [each["action"] for each in first["messages"]] == ["ping", "ask"]
    assert first["messages"][1]["draft"]["payload"]["place"] == [1, "lobby"]
    assert second["messages"][0]["draft"] == {"action": "ping", "payload": None}
    with override_typed_settings(CAMELIZE=True, MESSAGE_ACTION_KEY="kind"):
        data = read_data(staff.get("/sockets/playground/").content.decode())
    assert data["action_key"] == "kind"
    assert "subjectLine" in data["consumers"][0]["messages"][1]["draft"]["payload"]


@pytest.mark.parametrize("path", ["/sockets/", "/sockets/playground/"])
def test_page_runs_nothing_inline(staff: Client, path: str) -> None:
    """No script, style or handler in the page itself, and nothing from other sites: a strict policy lets it be."""
    page = staff.get(path).content.decode()
    scripts = re.findall(r"<script([^>]*)>", page)
    assert all("src=" in each or 'type="application/json"' in each for each in scripts)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    loaded = re.findall(r"<(?:script|link|img)[^>]* (?:src|href)=\"([^\"]+)\"", page)
    assert loaded
    assert all(each.startswith("/static/channels/typed/") for each in loaded)


def test_texts_of_the_project_are_escaped(staff: Client) -> None:
    """Docstrings may hold anything."""

    class Sly(desk.Desk):
        """<script>alert(1)</script>"""

    with apply_routes([Sly.as_route(path="^/sly/$")]):
        for path in ("/sockets/", "/sockets/playground/"):
            assert "<script>alert" not in staff.get(path).content.decode()


@pytest.mark.parametrize("path", ["/sockets/", "/sockets/playground/"])
def test_project_without_typed_consumers_has_pages(staff: Client, path: str) -> None:
    """They say so."""
    with apply_routes([]):
        assert "The routing has no typed consumers." in staff.get(path).content.decode()


def test_links_are_those_that_the_visitor_may_see() -> None:
    """No link leads to a refusal."""
    with override_typed_settings(ASYNCAPI_ACCESS="everybody"):
        page = Client().get("/sockets/").content.decode()
    assert "/sockets/asyncapi.json" in page
    assert "/sockets/playground/" not in page


def test_rows_show_what_is_inside_itself_once() -> None:
    """Also through arrays and alternatives."""
    schemas = {
        "Node": {
            "properties": {
                "below": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
                "leaf": {"anyOf": [{"$ref": "#/components/schemas/Leaf"}, {"type": "null"}]},
            },
            "type": "object",
            "required": ["below"],
        },
        "Leaf": {"properties": {"size": {"type": "integer", "minimum": 1, "default": 2}}, "type": "object"},
    }
    assert list(rows_of({"$ref": "#/components/schemas/Node"}, schemas)) == [
        Row("below", "array of object", True, ""),
        Row("leaf", "object or null", False, ""),
        Row("leaf.size", "integer", False, "at least 1; by default 2"),
    ]


def test_template_can_be_replaced() -> None:
    """Its name is below that of the package."""
    assert "<main" in render_to_string("channels/typed/playground.html", {"playground": {"consumers": []}, "links": {}})
