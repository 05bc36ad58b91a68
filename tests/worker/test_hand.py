"""What a worker has in hand, and which of it has a turn."""

import pytest

from channels.hand import Hand

SOCKET = "websocket.send.test!a"


@pytest.mark.parametrize("content", [{}, {"order": {"id": 1}}, {"reply_channel": [], "order": 1}, {"order": [1]}])
def test_message_that_is_none_of_a_socket_has_no_turn(content: dict[str, object]) -> None:
    """Projects have their own use for these keys; such a message is handed back like any other."""
    hand = Hand()
    hand.turns[SOCKET, 1] = object()
    hand.append(("shop.order", content))
    assert not hand.has_turn(content)
    assert hand.begin(with_turn=True) is None
    assert hand.has_turn({"reply_channel": SOCKET, "order": 1})
