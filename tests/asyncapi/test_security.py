"""What documents say of how clients are known."""

from typing import Any, ClassVar

import pytest
from django.test import override_settings
from rest_framework import authentication, permissions

from channels.test import apply_routes
from channels.typed import BasePermission, DjangoAuthenticator, IsAuthenticated, PingMessage, TypedConsumer
from channels.typed.asyncapi import build_document, find_routes
from channels.typed.authentication import BaseAuthenticator, SecurityScheme
from channels.typed.pages.reference import describe_channels
from channels.typed.rest import RestAuthenticator


class Keyed(authentication.TokenAuthentication):
    """A token under another name."""

    keyword = "Bearer"


class Ticketed(authentication.BaseAuthentication):
    """Says what it takes."""

    asyncapi_scheme: ClassVar = {"type": "httpApiKey", "in": "query", "name": "ticket"}


class Silent(authentication.BaseAuthentication):
    """Does not."""


class IsFriend(BasePermission):
    """Asks for somebody, on an object."""

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return False


class Signed(BaseAuthenticator):
    """An authenticator that is the project's own."""

    @classmethod
    def security_schemes(cls, consumer: Any) -> dict[str, SecurityScheme]:
        return {"signature": {"type": "X509"}}


class Known(TypedConsumer[PingMessage]):
    """Is for users."""

    authenticator_class = RestAuthenticator
    authentication_classes = (authentication.SessionAuthentication,)
    permission_classes = (permissions.IsAuthenticated,)

    def receive_message(self, message: PingMessage, **kwargs: Any) -> None: ...


class Anyhow(Known):
    """Takes whatever there is."""

    authentication_classes = (
        *(authentication.SessionAuthentication, authentication.BasicAuthentication),
        *(Keyed, Ticketed, Silent),
    )


def make_document(*consumers: type[Known]) -> dict[str, Any]:
    """Return the document of consumers."""
    with apply_routes([each.as_route(path=f"^/{number}/$") for number, each in enumerate(consumers)]):
        return build_document(find_routes())


def vary(**attributes: Any) -> type[Known]:
    """Return the consumer with other attributes."""
    return type("Varied", (Known,), attributes)


def schemes_of(**attributes: Any) -> dict[str, Any]:
    """Return the schemes of the consumer with other attributes, which each of its operations names."""
    document = make_document(vary(**attributes))
    schemes: dict[str, Any] = document["components"].get("securitySchemes", {})
    named = [{"$ref": f"#/components/securitySchemes/{name}"} for name in schemes]
    assert all(each.get("security", []) == named for each in document["operations"].values())
    return schemes


def test_user_of_the_session_is_known_by_its_cookie() -> None:
    """Under the name that the site gives it."""
    with override_settings(SESSION_COOKIE_NAME="sitting"):
        for authenticator in (DjangoAuthenticator, RestAuthenticator):
            (scheme,) = schemes_of(authenticator_class=authenticator).values()
            assert (scheme["type"], scheme["in"], scheme["name"]) == ("httpApiKey", "cookie", "sitting")


def test_classes_of_rest_framework_are_known() -> None:
    """Any of them is enough, so all are named; a subclass is what its base is; one that says nothing is left out."""
    classes = (authentication.BasicAuthentication, Keyed, Ticketed, Silent)
    found = schemes_of(authentication_classes=classes)
    assert list(found) == ["BasicAuthentication", "Keyed", "Ticketed"]
    assert (found["BasicAuthentication"]["type"], found["BasicAuthentication"]["scheme"]) == ("http", "basic")
    assert (found["Keyed"]["in"], found["Keyed"]["name"]) == ("header", "Authorization")
    assert "Bearer" in found["Keyed"]["description"]
    assert found["Ticketed"] == Ticketed.asyncapi_scheme


def test_defaults_of_rest_framework_count() -> None:
    """Where the consumer leaves it to them."""
    assert list(schemes_of(authentication_classes=None)) == ["SessionAuthentication", "BasicAuthentication"]
    assert schemes_of(permission_classes=None) == {}


def test_authenticator_of_the_project_says_it_itself() -> None:
    """By the method it overrides; one that does not says nothing."""
    assert schemes_of(authenticator_class=Signed) == {"signature": {"type": "X509"}}
    assert schemes_of(authenticator_class=BaseAuthenticator) == {}


@pytest.mark.parametrize(
    ("attributes", "asks"),
    [
        pytest.param({"permission_classes": ()}, False, id="nothing asked"),
        pytest.param({"permission_classes": (permissions.AllowAny,)}, False, id="anybody"),
        pytest.param({"permission_classes": (permissions.IsAuthenticatedOrReadOnly,)}, False, id="to read"),
        pytest.param(
            {"permission_classes": (permissions.IsAuthenticatedOrReadOnly,), "auth_method": "post"}, True, id="to write"
        ),
        pytest.param({"permission_classes": (), "login_required": True}, True, id="login required"),
        pytest.param({"permission_classes": (BasePermission, IsAuthenticated)}, True, id="one of two"),
        pytest.param({"permission_classes": (IsFriend,)}, True, id="on objects"),
        pytest.param({"permission_classes": (permissions.AllowAny & IsAuthenticated,)}, True, id="combined"),
    ],
)
@pytest.mark.parametrize("authenticator", [DjangoAuthenticator, RestAuthenticator])
@pytest.mark.filterwarnings("ignore:The authenticator has permissions that may require object access")
def test_what_anybody_may_open_needs_nothing(authenticator: Any, attributes: dict[str, Any], asks: bool) -> None:
    """Whichever library the permissions are from."""
    assert bool(schemes_of(authenticator_class=authenticator, **attributes)) is asks


def test_different_schemes_of_one_name_are_told_apart() -> None:
    """And the same one is there once."""
    other = type("Ticketed", (Ticketed,), {"asyncapi_scheme": {**Ticketed.asyncapi_scheme, "name": "pass"}})
    consumers = [vary(authentication_classes=(each,)) for each in (Ticketed, other, Ticketed, other)]
    assert list(make_document(*consumers)["components"]["securitySchemes"]) == ["Ticketed", "Ticketed_2"]


def test_page_tells_it() -> None:
    """For each channel, in the words of the scheme."""
    known, anybody = describe_channels(make_document(Known, vary(permission_classes=())))
    assert [each["id"] for each in known["security"]] == ["SessionAuthentication"]
    assert "cookie" in known["security"][0]["description"]
    assert anybody["security"] == []
