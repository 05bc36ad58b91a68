"""Visitors of the site: their sessions, their cookies, their users."""

from importlib import import_module

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.file import SessionStore

from channels import session_stores


@pytest.fixture
def visitor(db):
    """Return a function that stores an HTTP session with the given data."""

    def make(**data):
        session = import_module(settings.SESSION_ENGINE).SessionStore()
        session.update(data)
        session.create()
        session.save()
        return session

    return make


@pytest.fixture
def user(db, settings):
    """A user with a password, hashed in no time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return get_user_model().objects.create_user("ada", password="engine")


@pytest.fixture
def login(visitor):
    """Return a function that stores an HTTP session in which the given user is logged in."""

    def make(user, **data):
        return visitor(
            **{
                SESSION_KEY: str(user.pk),
                BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
                HASH_SESSION_KEY: user.get_session_auth_hash(),
            },
            **data,
        )

    return make


@pytest.fixture
def cookie():
    """Return a function that gives the headers of a browser which holds the given session."""
    return lambda session: [[b"cookie", f"a=b; {settings.SESSION_COOKIE_NAME}={session.session_key}".encode()]]


@pytest.fixture(
    params=["db", "cache", "cached_db", "file"],
)
def engine(request, settings, tmp_path, db, monkeypatch):
    """Each session engine in turn."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": str(tmp_path)}
    }
    # The file engine remembers on its class, and on subclasses, where files go.
    monkeypatch.setattr(SessionStore, "_storage_path", str(tmp_path), raising=False)
    session_stores._pinned_class.cache_clear()
    return request.param
