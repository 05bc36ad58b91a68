"""Questions of a supervisor to its worker processes, which a thread of each answers: what do your metrics say?

Apart from the line of orders and reports (``link``): answers are long, and making one may take as long as the layer
does.
"""

import logging
import socket
import struct
import threading
import time
from collections.abc import Callable

from channels.supervision.inherited import take_socket

logger = logging.getLogger("django.channels")

VARIABLE = "CHANNELS_QUESTIONS_FD"
"""Environment variable that tells a worker process on which file descriptor it is asked."""

_HEAD = struct.Struct("!II")
"""Before an answer: the number of its question, and how long it is. A question is its number alone."""

_NUMBER = struct.Struct("!I")


class Asker:
    """The supervisor's end. Safe in threads.

    Args:
        end: Of the pair of sockets.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._lock = threading.Lock()
        self._number = 0
        self._rest = b""

    def ask(self, patience: float) -> bytes | None:
        """Return the answer; None if there is none within ``patience`` seconds."""
        deadline = time.monotonic() + patience
        with self._lock:
            self._number += 1
            try:
                self._socket.settimeout(patience)
                self._socket.sendall(_NUMBER.pack(self._number))
                while True:
                    number, answer = self._read(deadline)
                    if number == self._number:  # Else it is the answer to a question that was given up.
                        return answer
            except OSError:
                return None

    def _read(self, deadline: float) -> tuple[int, bytes]:
        """Return the number of the next answer, and the answer. What came of one that is not complete is kept."""
        while True:
            if len(self._rest) >= _HEAD.size:
                number, length = _HEAD.unpack_from(self._rest)
                end = _HEAD.size + length
                if len(self._rest) >= end:
                    answer, self._rest = self._rest[_HEAD.size : end], self._rest[end:]
                    return number, answer
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("The worker process has ended.")
            self._rest += data

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def find_questions() -> socket.socket | None:
    """Return the socket on which the supervisor asks this process; None if none does."""
    return take_socket(VARIABLE)


def answer_in_thread(end: socket.socket, make_answer: Callable[[], bytes]) -> None:
    """Answer what is asked on ``end`` until the supervisor has gone."""
    thread = threading.Thread(target=_answer, args=(end, make_answer), name="channels-questions", daemon=True)
    thread.start()


def _answer(end: socket.socket, make_answer: Callable[[], bytes]) -> None:
    with end, end.makefile("rb") as questions:
        while len(question := questions.read(_NUMBER.size)) == _NUMBER.size:
            try:
                answer = make_answer()
            except Exception:
                logger.exception("This process could not tell its metrics; it does when it is asked again")
                continue
            try:
                end.sendall(_HEAD.pack(_NUMBER.unpack(question)[0], len(answer)) + answer)
            except OSError:
                return
