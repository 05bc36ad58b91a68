"""What the page on coming from 1.x says of users and sessions, tried on what Django 1.11 stored."""

from typing import Any

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.sessions.backends.db import SessionStore
from django.test import override_settings

from tests.support.blocks import blocks_of
from tests.support.processes import ROOT

PASSWORD = "pbkdf2_sha256$36000$Krv0DuECVw2I$UkyCtenyi6jPybQ/UZ13QtGm2HXQkHnvKRgYZ1u73sU="
"""The word "pw", as Django 1.11 stored it."""

SECRET_KEY = "x" * 50
SESSION = (
    "YjRjZTA5ZTM4ZDc4OWJmZDU5NTM0ZGQ1YjYzMjI1ZGRmOTA5NGVlODp7Il9hdXRoX3VzZXJfaWQiOiIxIiwiX2F1dGhfdXNlcl9iYWNrZW5kIjoiZGph"
    "bmdvLmNvbnRyaWIuYXV0aC5iYWNrZW5kcy5Nb2RlbEJhY2tlbmQiLCJfYXV0aF91c2VyX2hhc2giOiIwODRhMjJkN2IzOTk3NjNiN2U0N2I2YjNkNThk"
    "Zjk3NzA1ZGQxNGJkIn0="
)
"""A session with a user, as Django 1.11 stored it with this key."""


@pytest.fixture
def hasher() -> str:
    """The path of the hasher on the page."""
    blocks = blocks_of(ROOT / "docs" / "coming-from-1.x.rst")
    (block,) = [block for block in blocks if "class AsBefore" in block.text]
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(block.text, str(block), "exec"), names)
    globals()["AsBefore"] = names["AsBefore"]
    return f"{__name__}.AsBefore"


def is_stored_anew() -> bool:
    """Return whether the password is stored anew when its user logs in."""
    stored = []
    assert check_password("pw", PASSWORD, setter=stored.append)
    return bool(stored)


def test_hasher_of_the_page_leaves_a_password_of_django_1_11(hasher: str) -> None:
    """So that a login on the new side does not end the user's sessions on the old one."""
    with override_settings(PASSWORD_HASHERS=[hasher]):
        assert not is_stored_anew()


def test_password_of_django_1_11_is_stored_anew_otherwise() -> None:
    """Why the page has a hasher."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"]):
        assert is_stored_anew()


def test_password_of_the_new_side_has_the_strength_of_django_1_11(hasher: str) -> None:
    """Django 1.11 stores it anew if it has another."""
    with override_settings(PASSWORD_HASHERS=[hasher]):
        assert make_password("pw").split("$")[:2] == PASSWORD.split("$")[:2]


def test_session_of_django_1_11_is_empty() -> None:
    """As the page says: whoever comes over logs in once more."""
    with override_settings(SECRET_KEY=SECRET_KEY):
        assert SessionStore().decode(SESSION) == {}
