"""What browsers are told not to do on our pages."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def content_security_policy(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Send a strict Content-Security-Policy with every page; sockets lead to this site only."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        # Not every browser counts the sockets of a site as part of it.
        sockets = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
        policy = {**POLICY, "connect-src": f"'self' {sockets}"}
        response.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
        return response

    return respond
