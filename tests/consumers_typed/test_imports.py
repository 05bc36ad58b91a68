"""The extra: what works without it, and what says which one is missing."""

import subprocess
import sys

import pytest

HIDE = """
import importlib.abc, sys

class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def run(code, *hidden):
    """Run code in a new Python that lacks some packages, and return what it prints."""
    program = HIDE.format(hidden=hidden) + code
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_package_needs_neither_pydantic_nor_rest_framework():
    """Only the typed consumers do, and they say what to install."""
    code = """
import channels, channels.generic.websockets, channels.worker, channels.checks, channels.conf
for name in ("channels.typed", "channels.typed.asyncapi", "channels.test.typed"):
    try:
        __import__(name)
    except ImportError as error:
        print(error)
"""
    expected = (
        "channels.typed needs pydantic, which the extra 'typed' installs: pip install \"channels-classic[typed]\""
    )
    assert run(code, "pydantic", "rest_framework").splitlines() == [expected] * 3


@pytest.mark.slow
def test_typed_consumers_do_without_rest_framework():
    """Without it Django's own sessions and the package's permissions admit users."""
    code = """
import os, warnings
warnings.simplefilter("error")
from channels.typed import DjangoAuthenticator, IsAuthenticated, PingMessage, TypedConsumer

class Chat(TypedConsumer[PingMessage]):
    permission_classes = [IsAuthenticated]
    def receive_message(self, message, **kwargs): ...

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
Chat.as_route()
print(Chat.get_authenticator_class() is DjangoAuthenticator)
"""
    assert run(code, "rest_framework") == "True"
