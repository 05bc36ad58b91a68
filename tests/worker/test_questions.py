"""Questions of a supervisor: answers that come late or in pieces never pass for another's."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from channels.supervision.questions import Asker, answer_in_thread


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of the line."""
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_answer_comes_back(ends: tuple[socket.socket, socket.socket]) -> None:
    """Also one that is longer than what a socket holds."""
    long = b"x" * 1_000_000
    answer_in_thread(ends[1], lambda: long)
    asker = Asker(ends[0])
    assert [asker.ask(30) == long for _ in range(3)] == [True] * 3
    asker.close()


def test_answer_that_comes_too_late_is_passed_over(ends: tuple[socket.socket, socket.socket]) -> None:
    """The next question gets its own."""
    goes_on = threading.Event()
    answers = iter([b"first", b"second"])

    def make() -> bytes:
        goes_on.wait(30)
        return next(answers)

    answer_in_thread(ends[1], make)
    asker = Asker(ends[0])
    assert asker.ask(0.05) is None
    goes_on.set()
    assert asker.ask(30) == b"second"
    asker.close()


def test_answer_that_broke_off_goes_on_where_it_did(ends: tuple[socket.socket, socket.socket]) -> None:
    """Its beginning is kept."""
    asker = Asker(ends[0])
    ends[1].sendall(struct.pack("!II", 1, 5) + b"fi")
    assert asker.ask(0.05) is None
    ends[1].sendall(b"rst" + struct.pack("!II", 2, 6) + b"second")
    assert asker.ask(30) == b"second"


def test_process_that_has_ended_answers_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    """And nobody waits for it."""
    ends[1].close()
    assert Asker(ends[0]).ask(600) is None


def test_answer_that_could_not_be_made_once_is_made_the_next_time(ends: tuple[socket.socket, socket.socket]) -> None:
    """A collector of the project may fail for a moment."""
    answers = iter([ValueError("not now"), b"second"])

    def make() -> bytes:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    answer_in_thread(ends[1], make)
    asker = Asker(ends[0])
    assert asker.ask(0.2) is None
    assert asker.ask(30) == b"second"
    asker.close()
