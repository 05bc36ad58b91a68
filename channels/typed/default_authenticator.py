"""Which authenticator serves the consumers that name none. The authenticators themselves are elsewhere."""

import functools

from channels.typed.authentication import BaseAuthenticator, DjangoAuthenticator


@functools.cache
def default_authenticator() -> type[BaseAuthenticator]:
    """Return the authenticator of Django REST framework if that is installed, else that of Django."""
    try:
        from channels.typed.rest import RestAuthenticator
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "rest_framework":
            raise
        return DjangoAuthenticator
    return RestAuthenticator
