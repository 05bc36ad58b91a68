"""Live servers: real processes, the test's settings, and what becomes of errors."""

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from channels import Group, route
from channels.exceptions import InvalidChannelLayerError
from channels.registry import channel_layers
from channels.test.live import live_server
from channels.test.processes import ProtocolServerProcess, WorkerProcess
from tests.support.redis import RedisServer
from tests.testing import live_site

REDIS = "channels.layers.redis.RedisChannelLayer"
IPC = "channels.layers.ipc.IPCChannelLayer"
IN_MEMORY = "channels.layers.inmemory.ChannelLayer"


def is_running(pid: int) -> bool:
    """Return whether there is a process of this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def fetch(url: str) -> list[str]:
    """Return the words of a page."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return str(response.read().decode()).split()


@pytest.fixture
def layers(settings: Any, redis_server: RedisServer) -> Callable[[str], None]:
    """A function that sets the site up on a layer: ``redis``, ``ipc`` or ``inmemory``."""
    settings.ROOT_URLCONF = "tests.testing.live_site"

    def use(kind: str) -> None:
        config: dict[str, Any] = {"BACKEND": IN_MEMORY, "TEST_CONFIG": {}}
        if kind == "redis":
            config = {"BACKEND": REDIS, "TEST_CONFIG": {"hosts": [redis_server.url]}}
        elif kind == "ipc":
            config = {"BACKEND": IPC, "TEST_CONFIG": {"prefix": "tests"}}
        settings.CHANNEL_LAYERS = {"default": {**config, "ROUTING": "tests.testing.live_site.routing"}}

    return use


@pytest.mark.parametrize("kind", ["redis", "ipc", "inmemory"])
def test_pages_and_sockets_are_served_by_other_processes(layers: Callable[[str], None], kind: str) -> None:
    """A view and a consumer answer, from the worker's process; all processes end with the block."""
    layers(kind)
    with live_server(databases=()) as live:
        pid = int(fetch(f"{live.url}/page/")[0])
        with connect(f"{live.ws_url}/socket/") as socket:
            assert int(socket.recv(10)) == pid
            socket.send("hello")
            assert socket.recv(10) == "hello"
        pids = [process.pid for process in live.processes]
    assert pid in pids
    assert len(pids) == (1 if kind == "inmemory" else 2)
    assert os.getpid() not in pids
    assert not any(map(is_running, pids))


def test_the_test_itself_reaches_the_sockets(layers: Callable[[str], None]) -> None:
    """Its process has the same layer."""
    layers("redis")
    with live_server(databases=()) as live, connect(f"{live.ws_url}/socket/") as socket:
        socket.recv(10)
        socket.send("joined")
        socket.recv(10)
        Group("all").send({"text": "from the test"})
        assert socket.recv(10) == "from the test"


def test_start_takes_what_two_cores_do_in_three_seconds(layers: Callable[[str], None]) -> None:
    """Server and worker, by the processor time that they and this process use."""
    layers("redis")
    before = os.times()
    with live_server(databases=()):
        pass
    used = [after - sofar for after, sofar in zip(os.times()[:4], before[:4], strict=True)]
    assert sum(used) < 2 * 3


def test_settings_are_those_of_the_test(layers: Callable[[str], None], settings: Any) -> None:
    """Those that the test overrides, and those that the runner sets so that no e-mail leaves."""
    layers("redis")
    settings.COLOUR = "blue"
    with live_server(databases=()) as live:
        assert fetch(f"{live.url}/page/")[1:] == ["blue", "django.core.mail.backends.locmem.EmailBackend"]


def test_deleted_settings_are_not_there(layers: Callable[[str], None], settings: Any) -> None:
    """An override may also take a setting away."""
    layers("inmemory")
    settings.COLOUR = "blue"
    del settings.COLOUR
    with live_server(databases=()) as live:
        assert fetch(f"{live.url}/page/")[1] == "none"


def test_routes_may_be_objects_of_a_module(layers: Callable[[str], None], settings: Any) -> None:
    """What can be pickled is handed over."""
    layers("inmemory")
    config = settings.CHANNEL_LAYERS["default"]
    settings.CHANNEL_LAYERS = {"default": {**config, "ROUTING": [route("websocket.connect", live_site.connect)]}}
    with live_server(databases=()) as live, connect(f"{live.ws_url}/elsewhere/") as socket:
        assert int(socket.recv(10)) == live.processes[0].pid


def test_setting_that_cannot_be_handed_over_is_named(layers: Callable[[str], None], settings: Any) -> None:
    """The error says which, and what to use instead."""
    layers("inmemory")
    settings.COLOUR = lambda: "blue"
    with (
        pytest.raises(ImproperlyConfigured, match=r"setting COLOUR cannot be handed .* dotted paths"),
        live_server(databases=()),
    ):
        pass


def test_error_of_a_consumer_fails_the_test(layers: Callable[[str], None]) -> None:
    """With the traceback of the consumer."""
    layers("redis")
    with pytest.raises(AssertionError, match=r"in receive\n.*\nZeroDivisionError: asked to fail") as caught:
        provoke_error()
    assert "live_site.py" in str(caught.value)


def test_error_that_the_test_expects_can_be_taken(layers: Callable[[str], None]) -> None:
    """Then it fails nothing."""
    layers("redis")
    assert "asked to fail" in provoke_error(take=True)[0]


def provoke_error(take: bool = False) -> list[str]:
    """Let a consumer fail in the worker; the answer to the next frame says that it is over."""
    with live_server(databases=()) as live:
        with connect(f"{live.ws_url}/socket/") as socket:
            socket.recv(10)
            socket.send("fail")
            socket.send("after")
            assert socket.recv(10) == "after"
        for process in live.processes:
            process.stop()
        return live.take_errors() if take else []


def test_server_that_does_not_start_says_why(layers: Callable[[str], None]) -> None:
    """The traceback of its process is in the error, and nothing is left running."""

    class Broken(ProtocolServerProcess):
        target = "tests.testing.live_site.broken_start"

    started = []

    class Noted(WorkerProcess):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self.pid)

    layers("redis")
    with (
        pytest.raises(RuntimeError, match="ZeroDivisionError: no start today"),
        live_server(databases=(), server_process=Broken, worker_process=Noted),
    ):
        pass
    assert started
    assert not any(map(is_running, started))


def test_processes_end_with_the_test(layers: Callable[[str], None]) -> None:
    """When the test's end of the pipe closes, as it does when the test is killed, they end by themselves."""
    layers("redis")
    with live_server(databases=()) as live:
        for process in live.processes:
            assert process._process.stdin is not None
            process._process.stdin.close()
        for process in live.processes:
            process._process.wait(10)
        with pytest.raises((OSError, ConnectionClosed)):
            connect(f"{live.ws_url}/socket/", open_timeout=5)


def test_two_at_a_time_do_not_hear_each_other(layers: Callable[[str], None]) -> None:
    """Tests that run in parallel may share a server of layers: each has keys of its own, and leaves none."""
    layers("redis")
    with live_server(databases=()) as outer:
        prefix = channel_layers["default"].prefix
        with live_server(databases=()) as inner:
            assert channel_layers["default"].prefix != prefix
            with connect(f"{outer.ws_url}/socket/") as one, connect(f"{inner.ws_url}/socket/") as two:
                assert int(one.recv(10)) == outer.processes[1].pid
                assert int(two.recv(10)) == inner.processes[1].pid


def test_no_keys_are_left(layers: Callable[[str], None], redis_server: RedisServer) -> None:
    """The layer is emptied at the end."""
    layers("redis")
    with live_server(databases=()) as live, connect(f"{live.ws_url}/socket/") as socket:
        socket.recv(10)
    with redis_server.client() as client:
        assert client.keys() == []


def test_default_layer_comes_back(layers: Callable[[str], None]) -> None:
    """After the block the project's own configuration rules again."""
    layers("inmemory")
    before = channel_layers.configs
    with live_server(databases=()):
        pass
    assert channel_layers.configs == before


def test_several_workers_run_in_one_process(layers: Callable[[str], None]) -> None:
    """As ``runworker --threads`` does."""
    layers("redis")
    with live_server(databases=(), worker_threads=3) as live:
        assert len(live.processes) == 2
        assert int(fetch(f"{live.url}/page/")[0]) == live.processes[1].pid


def test_static_files_are_served_unless_turned_off(layers: Callable[[str], None], settings: Any) -> None:
    """As ``runserver`` does."""
    layers("inmemory")
    settings.ROOT_URLCONF = "tests.testing.live_site"
    for serve_static in (True, False):
        with live_server(databases=(), serve_static=serve_static) as live:
            try:
                found = bool(fetch(f"{live.url}/static/admin/css/base.css"))
            except urllib.error.HTTPError as error:
                error.close()
                found = False
        assert found is serve_static


def test_in_memory_database_is_refused() -> None:
    """Other processes would see another one."""
    with pytest.raises(ImproperlyConfigured, match="can not be used with in memory databases"), live_server():
        pass


def test_several_layers_are_refused(settings: Any) -> None:
    """As in 1.x."""
    config = {"BACKEND": IN_MEMORY, "ROUTING": [], "TEST_CONFIG": {}}
    settings.CHANNEL_LAYERS = {"default": config, "other": config}
    with (
        pytest.raises(ImproperlyConfigured, match="does not support multiple CHANNEL_LAYERS"),
        live_server(databases=()),
    ):
        pass


@pytest.mark.parametrize("layers", [{"default": {"BACKEND": IN_MEMORY, "ROUTING": []}}, {}])
def test_layer_without_a_test_configuration_is_refused(settings: Any, layers: dict[str, Any]) -> None:
    """What the site uses must not be used by its tests."""
    settings.CHANNEL_LAYERS = layers
    with pytest.raises(InvalidChannelLayerError), live_server(databases=()):
        pass
