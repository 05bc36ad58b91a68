"""The checker finds what it is there to find."""

from dataclasses import asdict

import pytest

from tests.faults.checker import judge
from tests.faults.crowd import FRAMES_PER_SOCKET, Arrival, Socket
from tests.faults.promises import NOTHING, Mode, Promise, in_hand
from tests.support.diary import Entry

FIRST = FRAMES_PER_SOCKET
OTHER = 2 * FRAMES_PER_SOCKET


class Log:
    """Two sockets that sent three frames each, all of which went well."""

    def __init__(self, code: int | None = None) -> None:
        self.sockets = [Socket(1, 80, True, "room0", code=code), Socket(2, 80, False, "room1")]
        for socket in self.sockets:
            socket.sent = {socket.number * FRAMES_PER_SOCKET + n: n for n in range(3)}
            socket.answered = set(socket.sent)
        numbers = [number for socket in self.sockets for number in socket.sent]
        self.put = [Entry(n, number, 10) for n, number in enumerate(numbers)]
        self.ran = [Entry(n, number, 20) for n, number in enumerate(numbers)]
        self.arrivals = [Arrival(n, number // FRAMES_PER_SOCKET, number, None) for n, number in enumerate(numbers)]

    def forget(self, number: int, *, put: bool = False, ran: bool = True) -> None:
        """Let the answer to ``number`` be missing, and what came before it."""
        if put:
            self.put = [entry for entry in self.put if entry.number != number]
        if ran:
            self.ran = [entry for entry in self.ran if entry.number != number]
        self.arrivals = [arrival for arrival in self.arrivals if arrival.number != number]
        for socket in self.sockets:
            socket.answered.discard(number)

    def faults(self) -> dict[str, int]:
        """Return what the checker finds."""
        verdict = asdict(judge(self.sockets, self.arrivals, self.put, self.ran))
        assert verdict.pop("sent") == 6
        return {name: count for name, count in verdict.items() if count}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    """All was sent, taken, consumed and answered."""
    assert Log().faults() == {}


def test_message_that_was_taken_and_not_consumed_is_lost() -> None:
    """Nobody noticed, for the socket stayed open."""
    log = Log()
    log.forget(FIRST)
    assert log.faults() == {"lost": 1, "unnoticed": 1}


def test_message_lost_with_its_socket_is_noticed() -> None:
    """The client was told by the end of the socket; where order is enforced, because of the order."""
    log = Log(code=1013)
    log.forget(FIRST)
    log.sockets[1].code = 1006
    log.forget(OTHER)
    assert log.faults() == {"lost": 1, "out_of_order": 1}


def test_message_that_was_never_taken_is_cut_off_or_vanished() -> None:
    """That depends on whether its socket was closed."""
    closed, stayed = Log(code=1006), Log()
    for log in (closed, stayed):
        log.forget(FIRST, put=True)
    assert (closed.faults(), stayed.faults()) == ({"cut_off": 1}, {"vanished": 1})


def test_message_that_was_consumed_was_taken() -> None:
    """An interface may be killed before it has noted that."""
    log = Log()
    log.put = []
    assert log.faults() == {}


def test_missing_answer_is_found() -> None:
    """Its message was consumed."""
    log = Log()
    log.forget(OTHER, ran=False)
    assert log.faults() == {"unanswered": 1}


def test_message_that_came_twice_is_found() -> None:
    """To a consumer, and to a client."""
    consumed, arrived = Log(), Log()
    consumed.ran.append(consumed.ran[0])
    arrived.arrivals.append(arrived.arrivals[0])
    assert (consumed.faults(), arrived.faults()) == ({"repeated": 1}, {"doubled": 1})


def test_messages_out_of_order_are_found_where_order_is_enforced() -> None:
    """At consumers and at clients; the second socket asked for no order."""
    ran, arrived = Log(), Log()
    ran.ran[0], ran.ran[1] = ran.ran[1], ran.ran[0]
    ran.ran[3], ran.ran[4] = ran.ran[4], ran.ran[3]
    arrived.arrivals[1], arrived.arrivals[2] = arrived.arrivals[2], arrived.arrivals[1]
    assert (ran.faults(), arrived.faults()) == ({"reordered": 1}, {"reordered": 1})


@pytest.mark.parametrize("astray", [Arrival(9, 1, OTHER, None), Arrival(9, 1, OTHER, "room1")])
def test_message_on_a_wrong_socket_is_found(astray: Arrival) -> None:
    """The answer of another, and what was for another room."""
    log = Log()
    log.arrivals.append(astray)
    assert log.faults() == {"misdelivered": 1}


def test_promise_is_broken_by_what_is_over_its_bounds() -> None:
    """Bounds are inclusive."""
    log = Log()
    log.forget(FIRST)
    verdict = judge(log.sockets, log.arrivals, log.put, log.ran)
    assert Promise(lost=in_hand(1)).broken(Mode.MOST, verdict, 0) == []
    assert Promise(lost=NOTHING).broken(Mode.MOST, verdict, 0) == ["lost more than promised: nothing"]


def test_promise_of_time_is_broken_by_a_late_return() -> None:
    """Whatever became of the messages."""
    log = Log()
    verdict = judge(log.sockets, log.arrivals, log.put, log.ran)
    assert Promise(back_within=2).broken(Mode.MOST, verdict, 2.5) == ["served again after 2.5 s only"]


def test_repetition_is_for_at_least_once_only() -> None:
    """No promise can allow it in the other mode."""
    log = Log()
    log.ran.append(log.ran[0])
    verdict = judge(log.sockets, log.arrivals, log.put, log.ran)
    promise = Promise(repeated=in_hand(1))
    assert promise.broken(Mode.LEAST, verdict, 0) == []
    assert promise.broken(Mode.MOST, verdict, 0) == ["a consumer got a message twice, at most once promised"]
