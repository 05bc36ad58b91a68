"""Use an installed ``channels-classic`` as a new project would: one file, no source tree, plain dependencies.

Serves a page and an echo through ``runserver``, by a real browser's protocols, then stops it in order.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from importlib import resources
from pathlib import Path

PROJECT = """
import sys
from django.conf import settings

settings.configure(
    DEBUG=True,
    SECRET_KEY="not a secret: a check of the package",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["channels"],
    DATABASES={},
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels.layers.inmemory.ChannelLayer",
            "ROUTING": {"websocket.receive": "project.echo"},
        },
    },
)

from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("a page"))]


def echo(message):
    message.reply_channel.send({"text": message["text"]})


if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    sys.modules["project"] = sys.modules["__main__"]
    execute_from_command_line(sys.argv)
"""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(url: str, seconds: float) -> bytes:
    """Return the body at ``url``, asking again until the server is up or ``seconds`` have passed."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=seconds) as answer:
                return bytes(answer.read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def main() -> None:
    """Check the package's files, then serve a page and a socket with it."""
    import channels

    home = resources.files(channels)
    assert "site-packages" in str(home), f"the source tree is in reach: {home}"
    assert home.joinpath("py.typed").is_file()
    Path("project.py").write_text(PROJECT)
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-W", "error::ResourceWarning", "project.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
        env={**os.environ, "DJANGO_COLORS": "nocolor"},
    )
    try:
        assert fetch(f"http://127.0.0.1:{port}/", 20) == b"a page"
        from websockets.sync.client import connect

        with connect(f"ws://127.0.0.1:{port}/any/") as client:
            client.send("hello")
            assert client.recv(timeout=10) == "hello"
    finally:
        server.send_signal(signal.SIGINT)
        code = server.wait(20)
    assert code == 0, f"runserver ended with {code}"
    print(f"smoke: channels {channels.__version__} on Python {sys.version.split()[0]} serves a page and a socket")


if __name__ == "__main__":
    main()
