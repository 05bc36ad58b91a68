"""Visitors for the consumers' tests."""

from tests.sessions.conftest import cookie, login, user, visitor

__all__ = ["cookie", "login", "user", "visitor"]
