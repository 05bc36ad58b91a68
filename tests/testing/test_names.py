"""Where the tools are found: names of today, those of 1.x that warn, and what importing them costs."""

import subprocess
import sys

import pytest

from channels import test, tests
from channels.test.http import HttpClient
from channels.test.websocket import WSClient


@pytest.mark.parametrize("name", test.__all__)
def test_every_name_leads_to_something(name):
    """What ``from channels.test import *`` brings."""
    assert getattr(test, name).__name__ == name


def test_unknown_name_is_an_attribute_error():
    """As of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        test.nothing  # noqa: B018
    with pytest.raises(AttributeError):
        tests.nothing  # noqa: B018


def test_old_package_warns_and_leads_to_the_same():
    """``channels.tests`` was the name before 1.1."""
    with pytest.warns(DeprecationWarning, match="Import WSClient from channels.test instead of channels.tests"):
        from channels.tests import WSClient as old
    assert old is WSClient


def test_old_package_brings_the_same_with_a_star():
    """As test modules of the time began."""
    found = {}
    with pytest.warns(DeprecationWarning, match="channels.tests"):
        exec("from channels.tests import *", found)
    assert {name: found[name] for name in test.__all__} == {name: getattr(test, name) for name in test.__all__}


def test_old_client_warns_when_it_is_made():
    """Importing it, as ``channels.test`` does, warns nobody."""
    with pytest.warns(DeprecationWarning, match="HttpClient is called WSClient"):
        client = HttpClient()
    assert isinstance(client, WSClient)


def test_contract_suite_needs_no_settings():
    """A layer can be tested without a Django project, and nothing of Django's test tools is imported."""
    script = (
        "import sys, channels.test.conformance\nfrom django.conf import settings\n"
        "sys.exit(settings.configured or 'django.test' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
