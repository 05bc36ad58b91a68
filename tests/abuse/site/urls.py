"""Pages: a login, a form, and what an attacker may wish for."""

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def token(request: HttpRequest) -> HttpResponse:
    """Return the token that forms need, and a session that belongs to nobody."""
    request.session["visited"] = True
    return HttpResponse(get_token(request))


def log_in(request: HttpRequest) -> HttpResponse:
    """Log a user in."""
    user = authenticate(request, username=request.POST["name"], password=request.POST["password"])
    if user is None:
        return HttpResponse("wrong", status=401)
    login(request, user)
    return HttpResponse("welcome")


def who(request: HttpRequest) -> HttpResponse:
    """Say who asks."""
    return HttpResponse(request.user.get_username() or "nobody")


@csrf_exempt
def take(request: HttpRequest) -> HttpResponse:
    """Take any body."""
    return HttpResponse(f"{len(request.body)}")


def echo_header(request: HttpRequest) -> HttpResponse:
    """Put what was asked for into a header, as careless views do."""
    return HttpResponse("echoed", headers={"X-Echo": request.GET["value"]})


def where(request: HttpRequest) -> HttpResponse:
    """Say under which address the page believes to be."""
    return HttpResponse(request.build_absolute_uri())


urlpatterns = [
    path("token/", token),
    path("login/", log_in),
    path("who/", who),
    path("take/", take),
    path("header/", echo_header),
    path("where/", where),
]
