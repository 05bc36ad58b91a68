"""Responses whose rest is dropped, counted by the reason."""

from tests.handler.test_window import consumer, layer, request
from tests.support.counting import grows

__all__ = ["layer"]


def test_client_that_takes_nothing_for_too_long_is_counted(layer):
    """What produces the response is closed."""
    events = []
    with grows("response.dropped.client_slow"):
        consumer(events, 1000)(request(layer, 4))
    assert events == ["closed"]
