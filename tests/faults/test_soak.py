"""What the soak complains about."""

from typing import Any

import pytest

from tests.faults.soak import BARE, REDIS, Sample, complaints, figures

MIB = 1024 * 1024
STEADY = figures([Sample(float(second), 50 * MIB, 20) for second in range(100)])
GROWING = figures([Sample(float(second), 50 * MIB + second * MIB // 10, 20) for second in range(100)])


def found(**changes: Any) -> dict[str, Any]:
    """Return the figures of a run in which nothing grew, but for ``changes``."""
    processes = {BARE: STEADY, **changes.pop("processes", {})}
    return {"keys_before": 3, "keys_after": 3, "requests": {"200": 9}, "processes": processes, **changes}


def test_steady_run_is_fine() -> None:
    """Nothing grew."""
    assert complaints(found()) == []


def test_growth_at_the_beginning_does_not_count() -> None:
    """Caches fill and code is loaded."""
    samples = [Sample(float(second), (40 + min(second, 20)) * MIB, 20) for second in range(100)]
    assert figures(samples)["growth_kb"] == pytest.approx(0)


def test_memory_that_grows_is_a_complaint() -> None:
    """Slowly, but all the time."""
    processes = {"worker 1": GROWING, "interface 1": GROWING}
    assert complaints(found(processes=processes)) == ["worker 1 grew by 7,578 kB", "interface 1 grew by 7,578 kB"]


def test_growth_of_the_server_is_not_that_of_the_interface() -> None:
    """The same server without this package grows as well."""
    processes = {BARE: GROWING, "interface 1": GROWING, "worker 1": STEADY}
    assert complaints(found(processes=processes)) == []


def test_files_left_open_are_a_complaint() -> None:
    """Those that were open for a while are not."""
    left = [Sample(float(second), 50 * MIB, 20 + second // 10) for second in range(100)]
    closed = [Sample(float(second), 50 * MIB, 25 if second % 9 == 7 else 20) for second in range(100)]
    assert complaints(found(processes={"worker 1": figures(left)})) == ["worker 1 has 29 files open, 20 before"]
    assert complaints(found(processes={"worker 1": figures(closed)})) == []


def test_threads_may_begin_when_they_are_needed() -> None:
    """With connections of their own: of each worker a few, and Redis has them all. Interfaces have no such threads."""
    two_more = figures([Sample(float(second), 50 * MIB, 20 if second < 50 else 22) for second in range(100)])
    four_more = figures([Sample(float(second), 50 * MIB, 20 if second < 50 else 24) for second in range(100)])
    processes = {"worker 1": two_more, "worker 2": two_more, REDIS: four_more, "interface 1": STEADY}
    assert complaints(found(processes=processes)) == []
    assert complaints(found(processes={"worker 1": STEADY, REDIS: four_more})) == ["Redis has 24 files open, 20 before"]
    assert complaints(found(processes={"interface 1": two_more})) == ["interface 1 has 22 files open, 20 before"]


def test_keys_left_behind_are_a_complaint() -> None:
    """A key for each socket that ever was would fill the server."""
    assert complaints(found(keys_after=4)) == ["Redis has 4 keys, 3 before"]


def test_failed_requests_are_a_complaint() -> None:
    """All must be answered."""
    assert complaints(found(requests={"200": 9, "503": 1})) == ["requests were answered {'200': 9, '503': 1}"]
