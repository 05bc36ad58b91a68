"""Worker processes that tests start with ``runworker``, and the layer to talk to them."""

import re
import signal
import subprocess
from pathlib import Path
from typing import Any

from channels.layers.redis import RedisChannelLayer
from tests.support.processes import Processes, wait_for

SETTINGS = """
SECRET_KEY = "not a secret: tests only"
DEBUG = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["channels"]
CHANNELS_AUTO_ACCEPT = True
CHANNELS_REJECT_UNROUTED = True
CHANNELS_RECEIVE_TIMEOUT = 0.2
CHANNEL_LAYERS = {layers!r}
"""

SECONDS = 60
"""How long a thing may take that takes a second on a machine with nothing else to do."""


class Workers:
    """A site with workers and no interface.

    Args:
        directory: Where settings and log go.
        redis_url: The layer's server.
        routing: Dotted path.
    """

    def __init__(self, directory: Path, redis_url: str, routing: str = "tests.worker.supervised.routing") -> None:
        self.directory = directory
        config = {"hosts": [redis_url]}
        layer = {"BACKEND": "channels.layers.redis.RedisChannelLayer", "CONFIG": config, "ROUTING": routing}
        (directory / "supervised_settings.py").write_text(SETTINGS.format(layers={"default": layer}))
        self.processes = Processes(directory, {"DJANGO_SETTINGS_MODULE": "supervised_settings"})
        self.processes.environment["PYTHONPATH"] += f":{directory}"
        self.layer: Any = RedisChannelLayer(**config)

    def start(self, *options: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start ``runworker``."""
        self.processes.environment.update(environment)
        return self.processes.start(["-m", "django", "runworker", *options])

    def wait_until_ready(self, count: int = 1) -> None:
        """Wait until so many workers listened, in all."""
        self.wait_for_log("Listening on channels", count)

    def wait_for_log(self, text: str, count: int = 1) -> None:
        """Wait until ``text`` stands in the log so many times."""
        wait_for(lambda: self.log().count(text) >= count, f"{text!r} in the log\n{self.log()}", SECONDS)

    def log(self) -> str:
        """Return what the processes have printed."""
        return self.processes.log()

    def send(self, channel: str, **content: Any) -> None:
        """Send a message."""
        self.layer.send(channel, content)

    def result(self) -> dict[str, Any]:
        """Return the next message that a consumer sent."""

        def receive() -> Any:
            return self.layer.receive(["results"], block=True)[1]

        result: dict[str, Any] = wait_for(receive, f"A result\n{self.log()}", SECONDS)
        return result

    def pids(self, text: str) -> list[int]:
        """Return the process ids that stand before ``text`` in the log."""
        return [int(pid) for pid in re.findall(rf"Worker process (\d+) {text}", self.log())]

    def stop(self, process: "subprocess.Popen[bytes]", number: signal.Signals = signal.SIGTERM) -> int:
        """Signal a process and return its exit status."""
        process.send_signal(number)
        return process.wait(SECONDS)

    def close(self) -> None:
        """Stop everything."""
        self.processes.stop()
        self.layer.close()
