"""What became of each message: decided from the logs of clients, interfaces and consumers, and from nothing else."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

from tests.faults.crowd import FRAMES_PER_SOCKET, Arrival, Socket
from tests.support.diary import Entry


@dataclass(frozen=True)
class Verdict:
    """Numbers of messages.

    Attributes:
        sent: By clients.
        cut_off: Of those, which the layer never took, on sockets that were closed: their clients know.
        vanished: Which the layer never took, although their sockets stayed open.
        lost: Which the layer took, and no consumer got, those of ``out_of_order`` apart.
        out_of_order: The same, on ordered sockets that were closed: after a gap nothing of them may be consumed.
        unnoticed: Of those, on sockets that stayed open.
        repeated: Which consumers got more than once.
        unanswered: Which consumers got, and whose answers did not come although their sockets stayed open.
        doubled: Which came to one socket more than once.
        reordered: Which consumers or clients got before an earlier one, where order is enforced.
        misdelivered: Which came to a socket that they were not for.
    """

    sent: int
    cut_off: int
    vanished: int
    lost: int
    out_of_order: int
    unnoticed: int
    repeated: int
    unanswered: int
    doubled: int
    reordered: int
    misdelivered: int

    def __str__(self) -> str:
        return ", ".join(f"{field.name} {getattr(self, field.name)}" for field in fields(self))


def judge(
    sockets: Iterable[Socket], arrivals: Sequence[Arrival], put: Sequence[Entry], ran: Sequence[Entry]
) -> Verdict:
    """Return what became of what was sent on ``sockets``.

    Args:
        sockets: All of a crowd.
        arrivals: What came to them, in the order of time.
        put: Which frames interfaces put on the layer.
        ran: Which frames consumers got, in the order of time.
    """
    by_number = {socket.number: socket for socket in sockets}
    sent = {number for socket in by_number.values() for number in socket.sent}
    to_room = {number for socket in by_number.values() for number in socket.to_room}
    answered = {number for socket in by_number.values() for number in socket.answered}
    stayed = {n for socket in by_number.values() if socket.code is None for n in socket.sent}
    runs = Counter(entry.number for entry in ran if entry.number in sent)
    taken = {entry.number for entry in put if entry.number in sent} | runs.keys()
    missing = taken - runs.keys()
    broken = {n for socket in by_number.values() if socket.is_ordered and socket.code is not None for n in socket.sent}
    lost = missing - broken
    return Verdict(
        sent=len(sent),
        cut_off=len(sent - taken - stayed),
        vanished=len(stayed - taken),
        lost=len(lost),
        out_of_order=len(missing & broken),
        unnoticed=len(lost & stayed),
        repeated=sum(count > 1 for count in runs.values()),
        unanswered=len((runs.keys() & stayed) - answered - to_room),
        doubled=sum(n > 1 for n in Counter((each.socket, each.number) for each in arrivals).values()),
        reordered=_reordered(by_number, arrivals, ran),
        misdelivered=sum(_is_astray(each, by_number[each.socket]) for each in arrivals),
    )


def _is_astray(arrival: Arrival, socket: Socket) -> bool:
    if arrival.room is not None:
        return arrival.room != socket.room
    return arrival.number not in socket.sent


def _reordered(sockets: dict[int, Socket], arrivals: Sequence[Arrival], ran: Sequence[Entry]) -> int:
    ordered = {number for number, socket in sockets.items() if socket.is_ordered}
    # What is for a room goes another way than what is for one socket.
    answers = [each.number for each in arrivals if each.room is None]
    return _swaps(answers, ordered) + _swaps([entry.number for entry in ran], ordered)


def _swaps(numbers: Iterable[int], sockets: set[int]) -> int:
    """Return how often a number follows a greater one of its socket, of ``sockets``; repetitions do not count."""
    firsts: dict[int, list[int]] = defaultdict(list)
    for number in dict.fromkeys(numbers):
        if number // FRAMES_PER_SOCKET in sockets:
            firsts[number // FRAMES_PER_SOCKET].append(number)
    return sum(one > other for row in firsts.values() for one, other in pairwise(row))
