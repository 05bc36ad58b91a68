"""Who may see the pages: staff, unless CHANNELS_TYPED says otherwise."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.contrib.auth.mixins import UserPassesTestMixin
from django.core.exceptions import ImproperlyConfigured
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from channels.routing import require_synchronous
from channels.typed import settings

_BY_NAME: dict[str, Callable[[Any], bool]] = {
    "staff": lambda request: bool(_user_of(request).is_active and _user_of(request).is_staff),
    "authenticated": lambda request: bool(_user_of(request).is_authenticated),
    "everybody": lambda request: True,
}


def _user_of(request: Any) -> Any:
    try:
        return request.user
    except AttributeError:
        raise ImproperlyConfigured(
            "The pages of typed consumers ask who the visitor is: put "
            "django.contrib.auth.middleware.AuthenticationMiddleware into MIDDLEWARE, or open them to everybody."
        ) from None


def may_see(request: Any, setting: str) -> bool:
    """Return whether the visitor may see what the key ``setting`` of CHANNELS_TYPED guards.

    Raises:
        ImproperlyConfigured: Its value is none of the names and leads to no function.
    """
    value = settings.get(setting)
    try:
        judge = value if callable(value) else _BY_NAME.get(value) or import_string(value)
    except (ImportError, TypeError, AttributeError) as error:
        raise ImproperlyConfigured(
            f"{setting} in CHANNELS_TYPED must be {', '.join(map(repr, _BY_NAME))} or the dotted path of a function of "
            f"the request, not {value!r}."
        ) from error
    require_synchronous(judge)  # Everybody could see it.
    return bool(judge(request))


class Guarded(UserPassesTestMixin):
    """A view that only those see whom a key of CHANNELS_TYPED names: others log in first, or get 403.

    Attributes:
        access_setting: The key.
    """

    access_setting: str

    def test_func(self) -> bool:
        """Return whether the visitor may see it."""
        return may_see(self.request, self.access_setting)  # type: ignore[attr-defined]

    def get_login_url(self) -> str:
        """Return where to log in: for the staff the admin site, where there is one, else ``LOGIN_URL``."""
        if settings.get(self.access_setting) == "staff":
            with suppress(NoReverseMatch):
                return reverse("admin:login")
        return super().get_login_url()
