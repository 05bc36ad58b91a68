"""The playground of the team chat, used as its staff would: in Chromium, under a strict policy, also by keyboard."""

import json
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.support.teamchat import TeamPage

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HELLO: Any = [("note", ""), ("received", "authentication"), ("received", "history")]


@pytest.fixture
def playground(anna: TeamPage) -> TeamPage:
    """The playground of rooms, connected to the room of everybody."""
    anna.open_playground("RoomConsumer")
    anna.fill("#parameter-slug", "everybody", Keys.ENTER)
    anna.see_traffic(*HELLO)
    return anna


def test_example_messages_are_answered(playground: TeamPage) -> None:
    """Each draft is one that the consumer takes."""
    assert playground.text("#state") == "Connected"
    expected = [*HELLO]
    for action, answer in (("ping", "pong"), ("earlier", "history"), ("invite", "invited"), ("say", "said")):
        Select(playground.element("#draft")).select_by_visible_text(action)
        playground.element("#send").click()
        expected += [("sent", action), ("received", answer)]
        playground.see_traffic(*expected)
    playground.screenshot("playground")


def test_conversation_is_seen_live(playground: TeamPage, ben: TeamPage) -> None:
    """What others say arrives, and what is sent from here reaches them."""
    ben.say("Is this a test?")
    playground.see_traffic(*HELLO, ("received", "somebody_types"), ("received", "said"))
    playground.js(
        "document.getElementById('text').value = arguments[0]", '{"action": "say", "payload": {"text": "Yes"}}'
    )
    playground.element("#send").click()
    ben.hear("anna", "Yes")


def test_invalid_messages_show_the_answer_of_the_consumer(playground: TeamPage) -> None:
    """What is no JSON is told at once, and sent only if that is wanted."""
    playground.fill("#text", '{"action": "say"}', Keys.CONTROL, Keys.ENTER)
    playground.see_traffic(*HELLO, ("sent", "say"), ("received", "error"))
    playground.fill("#text", "{broken")
    playground.element("#send").click()
    playground.see("#problem", "This is not JSON")
    assert playground.element("#text").get_attribute("aria-invalid") == "true"
    assert len(playground.traffic()) == 5
    playground.screenshot("playground-invalid")
    playground.element("#raw").click()
    playground.element("#send").click()
    playground.see_traffic(*HELLO, ("sent", "say"), ("received", "error"), ("sent", ""), ("received", "error"))


def test_refused_connection_says_why(anna: TeamPage, ben: TeamPage) -> None:
    """The consumer's words are in the log."""
    anna.open_playground("RoomConsumer")
    anna.fill("#parameter-slug", "nowhere", Keys.ENTER)
    anna.see_traffic(("note", ""), ("received", "authentication"), ("note", ""))
    assert "Not found." in anna.text("#traffic")
    assert anna.element("#connect").text == "Connect"


def test_traffic_can_be_searched_used_again_and_cleared(playground: TeamPage) -> None:
    """The log of a long session stays useful."""
    Select(playground.element("#draft")).select_by_visible_text("ping")
    playground.element("#send").click()
    playground.see_traffic(*HELLO, ("sent", "ping"), ("received", "pong"))
    playground.fill("#filter", "pong")
    playground.see_traffic(("received", "pong"))
    playground.fill("#filter", "ping")
    playground.see_traffic(("sent", "ping"))
    Select(playground.element("#draft")).select_by_visible_text("say")
    playground.element("#traffic .again").click()
    assert json.loads(playground.element("#text").get_attribute("value"))["action"] == "ping"
    playground.element("#clear").click()
    playground.see_traffic()


def test_playground_works_by_keyboard(anna: TeamPage) -> None:
    """From the list of consumers to the answer without a pointer; what has the focus is named."""
    anna.chrome.get(f"{anna.site.url}/sockets/playground/")
    names = []

    def tab_to(wanted: str) -> None:
        for _ in range(25):
            anna.chrome.switch_to.active_element.send_keys(Keys.TAB)
            focused = anna.chrome.switch_to.active_element
            names.append(focused.accessible_name)
            if focused.accessible_name.startswith(wanted):
                return
        raise AssertionError(f"No {wanted!r} among {names}")

    tab_to("InboxConsumer")
    anna.chrome.switch_to.active_element.send_keys(Keys.ENTER)
    anna.see("#consumer", "InboxConsumer")
    tab_to("Connect")
    anna.chrome.switch_to.active_element.send_keys(Keys.ENTER)
    anna.see_traffic(("note", ""), ("received", "authentication"))
    tab_to("Message as JSON")
    draft = json.loads(anna.element("#text").get_attribute("value"))
    assert draft == {"action": "open_room", "payload": {"title": "Rocket science"}}
    anna.chrome.switch_to.active_element.send_keys(Keys.CONTROL, Keys.ENTER)
    anna.see_traffic(("note", ""), ("received", "authentication"), ("sent", "open_room"), ("received", "room"))
    assert all(names), names


def test_every_control_has_a_label(playground: TeamPage) -> None:
    """A name that a screen reader says."""
    found = playground.chrome.find_elements("css selector", "input, select, textarea, button, main a, nav a")
    controls = [each for each in found if each.is_displayed()]
    assert len(controls) > 15
    assert [each.get_attribute("outerHTML") for each in controls if not each.accessible_name] == []


def test_members_of_the_team_do_not_see_the_playground(ben: TeamPage) -> None:
    """They are no staff; the reference is for them."""
    ben.chrome.get(f"{ben.site.url}/sockets/playground/")
    assert "403" in ben.text("body")
    ben.chrome.get(f"{ben.site.url}/sockets/")
    assert ben.text("h1").startswith("Team chat")
    assert "payload.text" in ben.text("#RoomConsumer")
    ben.screenshot("reference")


@pytest.mark.parametrize("path", ["/sockets/", "/sockets/playground/"])
def test_page_fits_a_narrow_window(anna: TeamPage, path: str) -> None:
    """Only tables scroll sideways."""
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    anna.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        anna.chrome.get(f"{anna.site.url}{path}")
        anna.screenshot(f"narrow-{path.strip('/').replace('/', '-')}")
        assert anna.js("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    finally:
        anna.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
