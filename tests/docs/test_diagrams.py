"""The diagrams of the design pages: they are drawn from runs that go as the pages say, and are drawings."""

import importlib.util
import re
from types import ModuleType
from xml.etree import ElementTree

import pytest

from tests.support.processes import ROOT

DESIGN = ROOT / "docs" / "design"


@pytest.fixture(scope="module")
def diagrams() -> ModuleType:
    """The module that draws them."""
    spec = importlib.util.spec_from_file_location("docs_diagrams", ROOT / "docs" / "diagrams.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said(arrows) -> list[str]:
    """Return a run in short."""
    return [f"{arrow.source} > {arrow.target}: {arrow.text}" for arrow in arrows]


def test_socket_is_followed_from_handshake_to_end(diagrams) -> None:
    """Each step, in order."""
    assert said(diagrams.websocket_trace()) == [
        "browser > interface: handshake",
        "interface > layer: websocket.connect (order 0)",
        "layer > worker: websocket.connect",
        "worker > layer: reply: accept: True",
        "layer > interface: a reply",
        "interface > browser: websocket.accept",
        "browser > interface: frame 'hi'",
        "interface > layer: websocket.receive (order 1, text 'hi')",
        "layer > worker: websocket.receive",
        "worker > layer: reply: text: 'HI'",
        "layer > interface: a reply",
        "interface > browser: websocket.send (text 'HI')",
        "browser > interface: close 1001",
        "interface > layer: websocket.disconnect (order 2, code 1001)",
        "layer > worker: websocket.disconnect",
    ]


def test_request_is_followed_to_its_disconnect(diagrams) -> None:
    """Two parts of a response, and the message after it."""
    run = said(diagrams.http_trace())
    assert run[1] == "interface > layer: http.request"
    assert [step for step in run if step.startswith("interface > browser")] == [
        "interface > browser: http.response.start (status 200)",
        "interface > browser: http.response.body (more_body True)",
        "interface > browser: http.response.body",
    ]
    assert run[-1] == "layer > worker: http.disconnect"


def test_group_message_leaves_the_layer_once_for_two_sockets(diagrams) -> None:
    """And reaches both."""
    run = said(diagrams.group_trace())
    assert run.count("worker > layer: group: text: 'hi'") == 1
    assert run[-3:] == [
        "layer > interface: a reply for 2 sockets",
        "interface > anna: websocket.send (text 'hi')",
        "interface > ben: websocket.send (text 'hi')",
    ]


def test_every_row_of_the_tables_does_what_it_says(diagrams) -> None:
    """As many as the bridges have; each was tried."""
    assert len(diagrams.socket_rows()) == len(diagrams.SOCKET_TABLE) > 15
    assert len(diagrams.request_rows()) == len(diagrams.HTTP_TABLE) > 25


def test_pages_include_every_file_that_is_drawn(diagrams) -> None:
    """None is forgotten, none is missing, and drawings are XML."""
    files = diagrams.pages()
    text = "".join(page.read_text(encoding="utf-8") for page in DESIGN.glob("*.rst"))
    assert set(re.findall(r"_build/diagrams/(\S+)", text)) == set(files)
    for name, drawing in files.items():
        if name.endswith(".svg"):
            ElementTree.fromstring(drawing)
