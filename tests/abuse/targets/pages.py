"""A page that looks at everything that a request brings, as pages do."""

from django.http import HttpRequest, HttpResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def look(request: HttpRequest) -> HttpResponse:
    """Look at everything, and say how much there was."""
    found = [
        *request.GET.lists(),
        *request.POST.lists(),
        *((name, file.name, file.content_type, file.read()) for name, file in request.FILES.items()),
        *request.COOKIES.items(),
        *request.headers.items(),
        *request.META.items(),
        (request.path, request.path_info, request.get_full_path(), request.content_type, request.accepted_types),
        (request.get_host(), request.build_absolute_uri(), request.is_secure(), request.user.is_authenticated),
        (request.session.session_key, request.get_signed_cookie("a", None), request.encoding),
    ]
    return HttpResponse(str(len(found)))


urlpatterns = [re_path(r"(?s)^.*$", look)]
