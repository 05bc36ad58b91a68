"""Two pages, which differ in how they load the client."""

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

SCRIPT = """
  const options = JSON.parse(new URLSearchParams(location.search).get("options") ?? "{}");
  window.seen = {opened: 0, closed: 0, reconnected: 0, echo: [], news: [], problems: []};
  window.bridge = new WebSocketBridge({minReconnectionDelay: 50, maxReconnectionDelay: 500, ...options});
  bridge.demultiplex("echo", ({text}) => seen.echo.push(text), {
    onerror: (error) => seen.problems.push(error.code),
  });
  bridge.demultiplex("news", ({text, joined}) => seen.news.push(text ?? `joined ${joined}`), {
    subscribe: {topic: "sport"},
  });
  bridge.onreconnect = () => (seen.reconnected += 1);
  bridge.connect("/socket/");
  bridge.listen();
  bridge.socket.addEventListener("open", () => (seen.opened += 1));
  bridge.socket.addEventListener("close", () => (seen.closed += 1));
"""
HEAD = '{% load static %}<!doctype html><title>A page</title><link rel="icon" href="data:,">'
CLASSIC = """<script src="{% static "channels/js/websocketbridge.js" %}"></script>
<script>const {WebSocketBridge} = channels;"""
MODULE = """<script type="module">
import {WebSocketBridge} from "{% static "channels/js/websocketbridge.esm.js" %}";"""


def page(loading: str) -> HttpResponse:
    """Return a page that loads the client in a certain way."""
    return HttpResponse(engines["django"].from_string(f"{HEAD}{loading}{SCRIPT}</script>").render())


def classic(request: HttpRequest) -> HttpResponse:
    """The global name."""
    return page(CLASSIC)


def module(request: HttpRequest) -> HttpResponse:
    """The ES module."""
    return page(MODULE)


urlpatterns = [path("", classic), path("module/", module)]
