"""The team chat with two users in two browsers: what one does, what the other sees, and what only members may."""

import pytest
from selenium.webdriver.common.keys import Keys

from tests.support.teamchat import TeamPage

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_message_is_mine_on_its_authors_page_only(anna: TeamPage, ben: TeamPage) -> None:
    """It crosses the layer once, and each page is told whose it is."""
    anna.say("Good morning")
    anna.hear("anna", "Good morning", is_mine=True)
    ben.hear("anna", "Good morning", is_mine=False)
    ben.say("<b>And</b> to you")
    anna.hear("ben", "<b>And</b> to you")
    ben.hear("ben", "<b>And</b> to you", is_mine=True)
    anna.screenshot("two-users")


def test_page_begins_with_what_was_said(anna: TeamPage, ben: TeamPage) -> None:
    """Own messages are own ones there, too."""
    anna.say("Remember this")
    ben.hear("anna", "Remember this")
    for page in (anna, ben):
        page.enter("everybody")
        page.hear("anna", "Remember this", is_mine=page is anna)


def test_typing_is_shown_to_the_others(anna: TeamPage, ben: TeamPage) -> None:
    """Not to who types."""
    ben.fill("#text", "Hm")
    anna.see("#typing", "ben is typing")
    assert ben.text("#typing") == ""


def test_topic_reaches_every_page_as_its_user_may_see_it(anna: TeamPage, ben: TeamPage) -> None:
    """An event from a view runs the consumer of each member: only the owner of the room may change the topic."""
    anna.fill("#room-title", "Greenhouse", Keys.ENTER)
    anna.see_room("greenhouse")
    anna.enter("greenhouse")
    anna.fill("#who", "ben", Keys.ENTER)
    anna.see("#invited", "ben: invited")
    ben.see_room("greenhouse")
    ben.enter("greenhouse")
    anna.fill("#new-topic", "Tomatoes", Keys.ENTER)
    for page in (anna, ben):
        page.see("#topic", "Tomatoes")
    assert anna.element("#change-topic").is_displayed()
    assert not ben.element("#change-topic").is_displayed()
    ben.screenshot("invited")


def test_room_is_closed_to_others(anna: TeamPage, ben: TeamPage) -> None:
    """The page and the socket, each by itself."""
    anna.fill("#room-title", "Vault", Keys.ENTER)
    anna.see_room("vault")
    script = """
        const done = arguments[arguments.length - 1];
        const socket = new WebSocket(`ws://${location.host}/rooms/vault/socket/`);
        const heard = [];
        socket.onmessage = ({ data }) => heard.push(JSON.parse(data).payload);
        socket.onclose = () => done(heard);
    """
    assert [each["status_code"] for each in ben.chrome.execute_async_script(script)] == [403]
    assert ben.js("return fetch('/rooms/vault/').then((answer) => answer.status)") == 403
    assert "vault" not in ben.rooms()


def test_name_that_is_taken_is_refused(anna: TeamPage, ben: TeamPage) -> None:
    """To who asked, not to others."""
    anna.fill("#room-title", "Everybody", Keys.ENTER)
    anna.see("#refused", "the name is taken")
    assert ben.text("#refused") == ""


def test_earlier_messages_can_be_asked_for(anna: TeamPage) -> None:
    """They come before those in sight, in order."""
    anna.fill("#room-title", "Archive", Keys.ENTER)
    anna.see_room("archive")
    anna.enter("archive")
    anna.js("for (let i = 0; i < 70; i++) room.send({ action: 'say', payload: { text: `line ${i}` } })")
    anna.hear("anna", "line 69", is_mine=True)
    anna.enter("archive")
    anna.hear("anna", "line 69", is_mine=True)
    assert len(anna.heard()) == 50
    anna.element("#earlier").click()
    anna.hear("anna", "line 0", is_mine=True)
    assert [text for _, text, _ in anna.heard()] == [f"line {number}" for number in range(70)]
    assert not anna.element("#earlier").is_displayed()


def test_page_connects_again(anna: TeamPage, ben: TeamPage) -> None:
    """And shows what was said meanwhile, each message once."""
    anna.js("room.socket.close(4000, '', { delay: 500 })")
    ben.say("Are you there?")
    anna.hear("ben", "Are you there?")
    anna.wait_until_connected()
    texts = [text for _, text, _ in anna.heard()]
    assert texts.count("Are you there?") == 1
