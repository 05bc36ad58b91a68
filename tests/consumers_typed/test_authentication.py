"""Who is admitted: by Django REST framework's classes or without it, told by a message or refused in the handshake."""

import logging
import warnings
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group as Room
from django.contrib.auth.models import Permission, User
from django.core.exceptions import PermissionDenied
from django.db import DataError
from django.db.models import QuerySet
from rest_framework import permissions as rest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.throttling import SimpleRateThrottle

from channels import counters
from channels.exceptions import DenyConnection, WebsocketCloseException
from channels.registry import channel_layers
from channels.test import SocketRefused
from channels.typed import (
    AllowAny,
    BasePermission,
    DjangoAuthenticator,
    HasPermission,
    IsAuthenticated,
    IsStaff,
    PingMessage,
    PongMessage,
    TypedConsumer,
)

OK = {"status_code": 200, "status_text": "OK", "data": {"detail": "OK"}}
NOT_PROVIDED = {
    "status_code": 403,
    "status_text": "Forbidden",
    "data": {"detail": "Authentication credentials were not provided."},
}


FAILED = {
    "status_code": 500,
    "status_text": "Internal Server Error",
    "data": {"detail": "Internal server error"},
}
NO_PERMISSION = "You do not have permission to perform this action."


class Pinging(TypedConsumer[PingMessage]):
    """Base of the consumers of these tests."""

    authentication_classes = [SessionAuthentication]

    def receive_message(self, message, **kwargs):
        self.send_message(PongMessage())


class Members(Pinging):
    """For users only."""

    permission_classes = [rest.IsAuthenticated]


class ByToken(BaseAuthentication):
    """The token is the user's name."""

    def authenticate(self, request):
        name = request.query_params.get("token") or request.headers.get("Authorization", "").removeprefix("Token ")
        if not name:
            return None
        user = User.objects.filter(username=name).first()
        if user is None:
            raise AuthenticationFailed("Invalid token.")
        return user, name

    def authenticate_header(self, request):
        return "Token"


def outcome(socket):
    """Return the payload of the first message, and the close code that follows it or None."""
    message = socket.receive_json()
    assert message["action"] == "authentication"
    return message["payload"]


def consumer(base=Pinging, **attributes):
    """Return a route to a consumer of these tests with some attributes."""
    return [base.as_route(attrs=attributes)]


def test_client_without_credentials_is_told_and_closed(open_socket):
    """By default the socket opens, says why and closes with 1000."""
    socket = open_socket(routes=consumer(Members), expect=None)
    assert outcome(socket) == NOT_PROVIDED
    assert socket.receive_close() == 1000


def test_client_is_refused_before_the_socket_opens(open_socket):
    """Where the project chooses so, the handshake is refused with the status and the reason."""
    with pytest.raises(SocketRefused) as caught:
        open_socket(routes=consumer(Members, refuse_before_open=True))
    assert caught.value.status == 403
    assert b"Authentication credentials were not provided." in caught.value.body


@pytest.mark.parametrize("is_admitted", [True, False])
def test_hooks_run_for_admitted_clients_only(open_socket, user, is_admitted):
    """In their order, when the client is in its groups; for others nothing runs and nothing is joined."""
    ran = []

    class Hooked(Members):
        groups = ["hooked"]

        def build_groups(self):
            ran.append("build_groups")
            return ["hooked.own"]

        def post_authentication(self):
            ran.append(self.groups)

        def disconnect(self, message, **kwargs):
            ran.append("disconnect")

    socket = open_socket(routes=[Hooked.as_route()], user=user if is_admitted else None, expect=None)
    outcome(socket)
    assert len(channel_layers["default"].group_channels("hooked")) == is_admitted
    socket.close() if is_admitted else socket.receive_close()
    assert socket.receive_nothing()
    assert ran == (["build_groups", ["hooked", "hooked.own"], "disconnect"] if is_admitted else [])


def test_refusal_before_opening_may_be_the_setting(open_socket, settings):
    """For all consumers of a project."""
    settings.CHANNELS_TYPED = {"REFUSE_BEFORE_OPEN": True}
    with pytest.raises(SocketRefused):
        open_socket(routes=consumer(Members))


def test_user_is_admitted(open_socket, user):
    """The user of the session."""
    assert outcome(open_socket(routes=consumer(Members), user=user, expect=None)) == OK


def test_nothing_is_said_where_the_class_says_so(open_socket, user):
    """Without the message the first one is an answer; a refusal is only a close."""
    routes = consumer(Members, send_authentication_message=False)
    socket = open_socket(routes=routes, user=user, expect=None)
    socket.send_json({"action": "ping"})
    assert socket.receive_json()["action"] == "pong"
    refused = open_socket(routes=routes, expect=None)
    assert refused.receive_close() == 1000


@pytest.mark.parametrize("where", ["query", "header"])
def test_token_authenticates(open_socket, user, where):
    """From the query string or a header."""
    routes = consumer(Members, authentication_classes=[ByToken])
    if where == "query":
        socket = open_socket("/?token=ada", routes=routes, expect=None)
    else:
        socket = open_socket("/", headers={"Authorization": "Token ada"}, routes=routes, expect=None)
    assert outcome(socket) == OK


@pytest.mark.parametrize(("path", "detail"), [("/?token=eve", "Invalid token."), ("/", NOT_PROVIDED["data"]["detail"])])
def test_scheme_that_can_be_asked_for_refuses_with_401(open_socket, path, detail):
    """As in HTTP, where the class names a scheme."""
    socket = open_socket(path, routes=consumer(Members, authentication_classes=[ByToken]), expect=None)
    assert outcome(socket) == {"status_code": 401, "status_text": "Unauthorized", "data": {"detail": detail}}


def test_failing_authentication_is_a_500(open_socket, caplog):
    """The client is told no more; the log has the reason."""

    class Broken(BaseAuthentication):
        def authenticate(self, request):
            raise ZeroDivisionError("a secret")

    socket = open_socket(routes=consumer(authentication_classes=[Broken]), expect=None)
    assert outcome(socket) == FAILED
    assert socket.receive_close() == 1000
    assert "a secret" in caplog.text


@pytest.mark.parametrize(
    ("permission", "status"),
    [
        (rest.IsAuthenticated & rest.IsAdminUser, 403),
        (rest.IsAuthenticated | rest.IsAdminUser, 200),
        (rest.IsAuthenticated & ~rest.IsAdminUser, 200),
        (IsAuthenticated & IsStaff, 403),
        (IsAuthenticated | IsStaff, 200),
        (IsAuthenticated & ~IsStaff, 200),
        (IsStaff | rest.IsAuthenticated, 200),
        (rest.IsAdminUser | IsAuthenticated, 200),
        (~(IsAuthenticated | IsStaff), 403),
        ((IsAuthenticated | IsStaff) & ~(IsStaff & AllowAny), 200),
        ((IsStaff & AllowAny) | (IsStaff | AllowAny), 200),
        (rest.IsAuthenticated & (IsStaff | AllowAny), 200),
        (rest.IsAdminUser | ~~IsAuthenticated, 200),
        (AllowAny, 200),
    ],
)
@pytest.mark.parametrize("authenticator", [None, DjangoAuthenticator])
def test_permissions_combine(open_socket, user, permission, status, authenticator):
    """Those of REST framework, those of this package, and both together, with either authenticator."""
    routes = consumer(permission_classes=[permission], authenticator_class=authenticator)
    assert outcome(open_socket(routes=routes, user=user, expect=None))["status_code"] == status


@pytest.mark.parametrize(
    ("base", "text", "detail"),
    [
        (BasePermission, "Not on Sundays.", "Not on Sundays."),
        (rest.BasePermission, "Not on Sundays.", "Not on Sundays."),
        (BasePermission, "", NO_PERMISSION),
    ],
)
def test_permission_may_say_why(open_socket, user, base, text, detail):
    """By Django's own exception; without a text there is a general one."""

    class Closed(base):
        def has_permission(self, request, view):
            raise PermissionDenied(text)

    authenticator = DjangoAuthenticator if base is BasePermission else None
    routes = consumer(permission_classes=[Closed], authenticator_class=authenticator)
    payload = outcome(open_socket(routes=routes, user=user, expect=None))
    assert (payload["status_code"], payload["data"]) == (403, {"detail": detail})


def test_user_who_is_no_model_is_told(open_socket, caplog):
    """Later messages could not find such a user again; the log says what to return instead."""

    class Somebody(BaseAuthentication):
        def authenticate(self, request):
            return SimpleNamespace(is_authenticated=True, pk=1), None

    assert outcome(open_socket(routes=consumer(authentication_classes=[Somebody]), expect=None)) == FAILED
    assert "is no model instance, so later messages cannot find it in the database" in caplog.text


def test_consumer_knows_who_admitted_its_client(open_socket, user):
    """The authenticator of the handshake is there for what runs after it."""
    admitted, seen = [], []

    class Noting(DjangoAuthenticator):
        def check(self, request, kwargs):
            admitted.append(self)
            return super().check(request, kwargs)

    def post_authentication(self):
        seen.append(self.authenticator)

    routes = consumer(authenticator_class=Noting, post_authentication=post_authentication)
    assert outcome(open_socket(routes=routes, user=user, expect=None))["status_code"] == 200
    assert len(admitted) == 1
    assert seen == admitted


def _fail(self):
    raise ZeroDivisionError("a secret, on purpose")


def test_client_that_cannot_be_given_its_groups_is_refused(open_socket, user, caplog):
    """With a 500; the log has the reason and whose connection it was, and nothing runs at the end."""
    ended = []
    attributes = {"build_groups": _fail, "disconnect": lambda self, message, **kwargs: ended.append(1)}
    before = counters.value("consumer.failed.handshake")
    socket = open_socket("/there/", routes=consumer(Members, **attributes), user=user, expect=None)
    assert outcome(socket) == FAILED
    assert socket.receive_close() == 1000
    assert socket.receive_nothing()
    assert ended == []
    assert counters.value("consumer.failed.handshake") == before + 1
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert (record.path, record.user_id, record.exc_info[0]) == ("/there/", str(user.pk), ZeroDivisionError)


def test_client_that_cannot_be_given_its_groups_is_refused_before_the_socket_opens(open_socket):
    """Where the class says so."""
    with pytest.raises(SocketRefused) as caught:
        open_socket(routes=consumer(build_groups=_fail, refuse_before_open=True))
    assert (caught.value.status, caught.value.body) == (500, b"Internal server error")


def _deny(self):
    raise DenyConnection(status=418, reason="No tea.")


def test_hook_may_refuse_before_the_socket_opens(open_socket):
    """``build_groups`` with an exception, as connect consumers do; the groups that were joined are left."""
    with pytest.raises(SocketRefused) as caught:
        open_socket(routes=consumer(build_groups=_deny, groups=["some"]))
    assert (caught.value.status, caught.value.body) == (418, b"No tea.")
    open_socket(routes=consumer())
    assert channel_layers["default"].group_channels("some") == []


def _close(self):
    raise WebsocketCloseException(4005)


def test_hook_may_close_an_admitted_socket(open_socket):
    """``post_authentication``, with a code of its own."""
    socket = open_socket(routes=consumer(post_authentication=_close, groups=["some"]))
    assert socket.receive_close() == 4005
    assert socket.receive_nothing()
    assert channel_layers["default"].group_channels("some") == []


def test_client_whose_beginning_fails_is_told(open_socket, user, caplog):
    """It was admitted by then: a general error, a close of its own; its groups are left."""
    attributes = {"post_authentication": _fail, "groups": ["some"]}
    socket = open_socket("/there/", routes=consumer(Members, **attributes), user=user, expect=200)
    assert socket.receive_json() == {"action": "error", "payload": {"detail": "Internal server error"}}
    assert socket.receive_close() == 1011
    assert socket.receive_nothing()
    assert channel_layers["default"].group_channels("some") == []
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert (record.path, record.user_id, record.exc_info[0]) == ("/there/", str(user.pk), ZeroDivisionError)


def test_permission_of_django_admits(open_socket, user):
    """A permission that the user has."""

    class MayAdd(HasPermission):
        permission = "auth.add_group"

    routes = consumer(permission_classes=[MayAdd], authenticator_class=DjangoAuthenticator)
    assert outcome(open_socket(routes=routes, user=user, expect=None))["status_code"] == 403
    user.user_permissions.add(Permission.objects.get(codename="add_group"))
    assert outcome(open_socket(routes=routes, user=user, expect=None))["status_code"] == 200


def test_throttle_refuses(open_socket, settings):
    """Throttles count handshakes."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "throttle"}}

    class Twice(SimpleRateThrottle):
        rate = "2/hour"

        def get_cache_key(self, request, view):
            return "everybody"

    routes = consumer(throttle_classes=[Twice])
    found = [outcome(open_socket(routes=routes, expect=None))["status_code"] for _ in range(3)]
    assert found == [200, 200, 429]


class TestObjects:
    """A room by its key in the URL."""

    @pytest.fixture
    def room(self, user):
        """A room with a member."""
        room = Room.objects.create(name="den")
        user.groups.add(room)
        return room

    def test_member_is_admitted_and_has_the_object(self, open_socket, user, room):
        """The object and the user are there on later messages."""
        socket = open_socket(f"/rooms/{room.pk}/", user=user)
        socket.send_json({"action": "who"})
        assert socket.receive_json()["payload"] == ["den", "ada", 1]

    def test_others_are_refused(self, open_socket, room):
        """Another user may not enter, and is told so."""
        socket = open_socket(f"/rooms/{room.pk}/", user=User.objects.create_user("bob"), expect=403)
        assert socket.receive_close() == 1000

    @pytest.mark.parametrize("key", ["4711", "nonsense"])
    def test_missing_object_is_a_404(self, open_socket, user, key):
        """A key that leads nowhere, and one that is none."""
        socket = open_socket(f"/rooms/{key}/", user=user, expect=404)
        assert socket.receive_close() == 1000

    def test_queryset_may_be_narrowed(self, open_socket, user, room):
        """By what the handshake has, then and on later messages."""

        class Own(Pinging):
            queryset = Room.objects.all()

            def get_queryset(self):
                return super().get_queryset().filter(user=self.request.user)

            def receive_message(self, message, **kwargs):
                assert self.obj == room
                super().receive_message(message)

        routes = [Own.as_route(path="^/(?P<pk>[0-9]+)/")]
        member = open_socket(f"/{room.pk}/", routes=routes, user=user)
        member.send_json({"action": "ping"})
        assert member.receive_json()["action"] == "pong"
        bob = User.objects.create_user("bob")
        assert outcome(open_socket(f"/{room.pk}/", routes=routes, user=bob, expect=None))["status_code"] == 404

    def test_object_that_is_gone_closes(self, open_socket, user, room):
        """The socket outlives its object by one message."""
        socket = open_socket(f"/rooms/{room.pk}/", user=user)
        Room.objects.all().delete()
        socket.send_json({"action": "who"})
        assert socket.receive_close() == 4404

    def test_lookup_by_another_field(self, open_socket, room):
        """As in REST framework's views."""
        options = {"queryset": Room.objects, "lookup_field": "name", "lookup_url_kwarg": "called"}
        for authenticator in (None, DjangoAuthenticator):
            route = Pinging.as_route({**options, "authenticator_class": authenticator}, path="^/(?P<called>[a-z]+)/")
            assert outcome(open_socket("/den/", routes=[route], expect=None))["status_code"] == 200
            assert outcome(open_socket("/lair/", routes=[route], expect=None))["status_code"] == 404

    def test_lookup_of_what_the_database_does_not_take(self, open_socket, caplog):
        """PostgreSQL refuses to look for some texts that a path may have: there is no such object."""

        class Refusing(QuerySet):
            def get(self, *args, **kwargs):
                raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")

        for authenticator in (None, DjangoAuthenticator):
            options = {"queryset": Refusing(Room), "permission_classes": [], "authenticator_class": authenticator}
            route = Pinging.as_route(options, path="^/(?P<pk>.+)/")
            assert outcome(open_socket("/%00/", routes=[route], expect=None))["status_code"] == 404
        assert "Traceback" not in caplog.text

    def test_object_permission_without_rest_framework(self, open_socket, user, room):
        """The plain variant asks for objects too."""

        class IsMember(BasePermission):
            def has_object_permission(self, request, view, obj):
                return request.user.groups.filter(pk=obj.pk).exists()

        attributes = {
            "queryset": Room.objects,
            "permission_classes": [IsAuthenticated & IsMember],
            "authenticator_class": DjangoAuthenticator,
        }
        routes = [Pinging.as_route(attributes, path="^/(?P<pk>[0-9]+)/")]
        assert outcome(open_socket(f"/{room.pk}/", routes=routes, user=user, expect=None)) == OK
        bob = User.objects.create_user("bob")
        assert outcome(open_socket(f"/{room.pk}/", routes=routes, user=bob, expect=None))["status_code"] == 403
        assert outcome(open_socket(f"/{room.pk}/", routes=routes, expect=None)) == NOT_PROVIDED

    def test_permission_for_objects_without_queryset_warns(self):
        """It would never be asked."""

        class IsMember(rest.BasePermission):
            def has_object_permission(self, request, view, obj):
                return False

        class Plain(BasePermission):
            def has_object_permission(self, request, view, obj):
                return False

        with pytest.warns(RuntimeWarning, match="no queryset is defined"):
            consumer(permission_classes=[IsMember])
        with pytest.warns(RuntimeWarning, match="no queryset is defined"):
            consumer(permission_classes=[Plain], authenticator_class=DjangoAuthenticator)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            consumer(permission_classes=[rest.IsAuthenticated, rest.IsAuthenticated | rest.IsAdminUser])
            consumer(permission_classes=[IsAuthenticated])

    def test_route_that_captures_nothing_is_told(self, open_socket, caplog):
        """The log says which part of the path is missing."""
        socket = open_socket(routes=consumer(queryset=Room.objects), expect=500)
        assert socket.receive_close() == 1000
        assert "(?P<pk>...)" in caplog.text


def test_url_parts_without_a_queryset_are_no_object(open_socket):
    """A captured room name needs no model."""
    open_socket("/chat/a/")


def test_user_who_is_gone_closes_the_socket(open_socket, user):
    """A handler that asks for the user of a deleted account does not get an anonymous one."""
    socket = open_socket(user=user)
    user.delete()
    socket.send_json({"action": "ping"})
    assert socket.receive_json()["action"] == "pong"
    socket.send_json({"action": "who"})
    assert socket.receive_close() == 4403


def test_login_required_is_asked_on_every_message(open_socket, user):
    """The attribute of all WebSocket consumers holds here too."""
    routes = consumer(permission_classes=[], login_required=True)
    assert outcome(open_socket(routes=routes, expect=None))["status_code"] == 403
    socket = open_socket(routes=routes, user=user)
    user.delete()
    socket.send_json({"action": "ping"})
    assert socket.receive_close() == 4403


def test_form_method_checks_csrf(open_socket, user):
    """With ``auth_method = "post"`` REST framework's session authentication wants the token."""
    payload = outcome(open_socket(routes=consumer(Members, auth_method="post"), user=user, expect=None))
    assert payload["status_code"] == 403
    assert payload["data"]["detail"].startswith("CSRF Failed")
