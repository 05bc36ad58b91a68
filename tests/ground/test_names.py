"""Names of channels and groups."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import names

LETTERS = string.ascii_letters + string.digits + "-_."
plain = st.text(LETTERS, min_size=1, max_size=99)


@given(plain)
def test_plain_names_are_channel_names_and_group_names(name):
    """What consists of the allowed characters is a name of either kind."""
    assert names.require_channel_name(name) == name
    assert names.require_group_name(name) == name


@given(st.text(LETTERS, min_size=1, max_size=40), st.sampled_from("!?"), st.text(LETTERS, min_size=1, max_size=40))
def test_one_mark_is_allowed_in_channel_names_only(head, mark, tail):
    """A channel name may hold one ``!`` or ``?``; a group name may not."""
    name = head + mark + tail
    assert names.require_channel_name(name) == name
    with pytest.raises(TypeError, match="Group name must be"):
        names.require_group_name(name)


@given(st.text(min_size=1, max_size=120))
def test_every_text_is_a_name_or_gets_a_reason(text):
    """Anything else is refused with a TypeError, and never accepted by accident."""
    try:
        names.require_channel_name(text)
    except TypeError:
        return
    marks = sum(map(text.count, "!?"))
    assert len(text) <= 99
    assert set(text) <= set(LETTERS + "!?")
    assert marks <= 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        ("chat room", r"character ' ' at position 4"),
        ("chat\n", r"character '\\n' at position 4"),
        ("caf\u00e9", "character '\u00e9' at position 3"),
        ("\u0661", "position 0"),
        ("a!b!c", "at most one"),
        ("x" * 100, "under 100 characters"),
        (b"bytes", "not of 'str' type"),
        ("body?", "must not end with"),
    ],
)
def test_refused_channel_names_say_what_is_wrong(name, reason):
    """The text of the error names the offending character, length or type."""
    with pytest.raises(TypeError, match=reason):
        names.require_channel_name(name)


def test_receiving_from_a_local_part_is_refused():
    """A process reads its whole queue, never one connection's part of it."""
    assert names.require_channel_name("a!", receive=True) == "a!"
    with pytest.raises(TypeError, match="must end at the !"):
        names.require_channel_name("a!b", receive=True)


def test_reply_channels_leave_room_for_the_wait_prefix():
    """The wait channel of every reply channel is itself a valid name."""
    for protocol in ("http.response", "websocket.send"):
        reply = names.make_reply_channel(names.make_reply_prefix(protocol))
        wait = names.wait_channel(reply)
        assert names.require_channel_name(wait) == "__wait__." + reply.replace("!", "?")
        assert names.non_local_name(reply) + names.local_part(reply) == reply
