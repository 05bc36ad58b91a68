"""The development server sends delayed messages itself, also on a layer that no other process reaches."""

import httpx
import pytest

from tests.support.processes import Processes, free_port, wait_for

SITE = """
from pathlib import Path

from django.http import HttpResponse
from django.urls import path

from channels import Channel, route

HERE = Path(__file__).parent
SECRET_KEY = "not a secret: tests only"
DEBUG = True
USE_TZ = True
INSTALLED_APPS = ["channels", "channels.delay"]
ROOT_URLCONF = "delay_site"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(HERE / "db.sqlite3")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CHANNELS_AUTO_ACCEPT = CHANNELS_REJECT_UNROUTED = True


def ask(request):
    Channel("asgi.delay").send({"channel": "later", "content": {"text": "came"}, "delay": 10}, immediately=True)
    return HttpResponse("asked")


def later(message):
    (HERE / "came.txt").write_text(message["text"])


urlpatterns = [path("", ask)]
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels.layers.inmemory.ChannelLayer", "ROUTING": [route("later", later)]}
}
"""


@pytest.fixture
def site(tmp_path):
    """The development server of a small site."""
    (tmp_path / "delay_site.py").write_text(SITE)
    processes = Processes(tmp_path, {"DJANGO_SETTINGS_MODULE": "delay_site"})
    processes.environment["PYTHONPATH"] += f":{tmp_path}"
    yield processes
    processes.stop()


def serve(site):
    """Start the server and return its address."""
    port = free_port()
    site.start(["-m", "django", "runserver", "--noreload", str(port)])
    site.wait_for_port(port)
    return f"http://127.0.0.1:{port}/"


def test_delayed_message_comes_in_the_development_server(site, tmp_path):
    """On the in-memory layer; the table may be made while it runs."""
    address = serve(site)
    site.wait_for_log("The database cannot be used")
    assert site.start(["-m", "django", "migrate", "-v", "0"]).wait(60) == 0, site.log()
    site.wait_for_log("The delay server works again")
    assert httpx.get(address, timeout=30).text == "asked"
    wait_for((tmp_path / "came.txt").exists, f"The message comes\n{site.log()}", 60)
