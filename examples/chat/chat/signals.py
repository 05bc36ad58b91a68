"""What happens on the sockets because of something outside them."""

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver

from channels import Group

from .groups import user_group

SIGNED_OUT = 4001
"""Close code that tells the page to load again, which leads to the login if the session is gone."""


@receiver(user_logged_out)
def close_sockets(user: Any, **kwargs: Any) -> None:
    """Close every socket of a user who logged out; a browser that is still logged in comes back."""
    if user is not None:
        Group(user_group(user)).send({"close": SIGNED_OUT})
