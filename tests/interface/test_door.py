"""Who is let in: limits per client address and per process, and nobody with a socket during a drain."""

from typing import Any

import pytest

from channels import counters
from channels.interface.door import Door, client_network
from channels.interface.limits import Limits
from channels.interface.rates import Bucket


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def scope(address: str | None = "192.0.2.1") -> dict[str, Any]:
    """Return the scope of a client at ``address``."""
    return {"path": "/", "client": address and (address, 1234)}


def status(refusal: Any) -> int | None:
    """Return the status of a refusal, or None."""
    return refusal and int(refusal.status)


def test_bucket_gives_its_turns_back_in_time() -> None:
    """All of them at once, then one for each part of a second."""
    bucket = Bucket(2, 4, now=0)
    assert [bucket.take(0), bucket.take(0), bucket.take(0)] == [True, True, False]
    assert [bucket.take(0.25), bucket.take(0.25)] == [True, False]
    assert [bucket.is_full(0.5), bucket.is_full(10)] == [False, True]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not:an:address", "not:an:address"),
        (None, None),
    ],
)
def test_client_is_its_address_or_its_network(address: str | None, network: str | None) -> None:
    """Whoever has one IPv6 address has all of its network."""
    assert client_network(scope(address)) == network


def test_all_come_in_without_limits() -> None:
    """Nothing is refused that nobody asked to refuse."""
    door = Door(Limits())
    assert not any(door.socket(scope()) or door.request(scope()) for _ in range(1000))


def test_sockets_of_one_client_are_limited() -> None:
    """To so many at a time; other clients come in, and one that leaves makes room."""
    door = Door(Limits(client_sockets=2))
    assert [status(door.socket(scope())) for _ in range(3)] == [None, None, 429]
    assert door.socket(scope("192.0.2.2")) is None
    door.leave(scope())
    assert [status(door.socket(scope())) for _ in range(2)] == [None, 429]


def test_clients_without_an_address_are_not_taken_for_one() -> None:
    """Behind a UNIX socket nobody knows who they are."""
    door = Door(Limits(client_sockets=1, client_requests_per_minute=1, client_handshakes_per_minute=1))
    assert not any(door.socket(scope(None)) or door.request(scope(None)) for _ in range(5))


def test_sockets_of_the_process_are_limited() -> None:
    """Whoever they are of."""
    door = Door(Limits(max_sockets=2))
    assert [status(door.socket(scope(f"192.0.2.{number}"))) for number in range(3)] == [None, None, 503]


def test_undecided_handshakes_are_limited() -> None:
    """A decision makes room, although the socket stays."""
    door = Door(Limits(max_handshakes=1))
    assert [status(door.socket(scope())) for _ in range(2)] == [None, 503]
    door.decided()
    assert door.socket(scope()) is None


@pytest.mark.parametrize("kind", ["request", "socket"])
def test_one_client_may_not_come_too_often(kind: str) -> None:
    """A minute's worth at once, then as time goes by; others are not touched."""
    clock = Clock()
    door = Door(Limits(client_requests_per_minute=60, client_handshakes_per_minute=60), clock)
    come = getattr(door, kind)
    assert [status(come(scope())) for _ in range(61)] == [None] * 60 + [429]
    assert come(scope("192.0.2.2")) is None
    clock.now += 1
    assert [status(come(scope())) for _ in range(2)] == [None, 429]


def test_quiet_clients_are_forgotten() -> None:
    """Memory does not grow with every address that ever came."""
    clock = Clock()
    door = Door(Limits(client_requests_per_minute=60), clock)
    for number in range(100):
        door.request(scope(f"192.0.2.{number}"))
    clock.now += 120
    door.request(scope("198.51.100.1"))
    assert len(door._requests._buckets) == 1


def test_no_socket_comes_in_during_a_drain() -> None:
    """503, so that a proxy or the client tries elsewhere; requests are still served."""
    door = Door(Limits())
    door.is_draining = True
    assert status(door.socket(scope())) == 503
    assert door.request(scope()) is None


def test_refusals_are_counted_by_their_reason_and_logged_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """Who floods the site does not flood its log."""
    before = counters.value("http.refused.client_rate")
    door = Door(Limits(client_requests_per_minute=1), Clock())
    for _ in range(10):
        door.request(scope())
    assert counters.value("http.refused.client_rate") - before == 9
    assert [record.getMessage() for record in caplog.records] == [
        "/ of 192.0.2.1 is refused: You make too many requests."
    ]


@pytest.mark.parametrize("name", ["max_sockets", "client_requests_per_minute", "max_frame_bytes"])
def test_limits_below_one_are_refused(name: str) -> None:
    """None is how to say: no limit."""
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        Limits(**{name: 0})
