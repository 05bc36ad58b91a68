"""The pages of the chat; they are ordinary Django views."""

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse_lazy
from django.views.decorators.cache import cache_control
from django.views.generic import CreateView, DetailView

from .forms import RoomForm
from .models import Picture, Room
from .pictures import MAX_PICTURE_BYTES


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Go to the lobby, or to whichever room there is."""
    room = Room.objects.filter(slug="lobby").first() or Room.objects.first()
    return redirect(room or "room-create")


class RoomPage(LoginRequiredMixin, DetailView):
    """A room: the rest happens on its socket."""

    model = Room
    template_name = "chat/room.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the other rooms and what the script needs to know."""
        room = self.object
        page = {
            "user": self.request.user.get_username(),
            "room": room.title,
            "socket": f"{room.get_absolute_url()}socket/",
            "maxPictureBytes": MAX_PICTURE_BYTES,
            "history": room.messages.page(),
        }
        return super().get_context_data(rooms=Room.objects.all(), room_form=RoomForm(), page=page, **kwargs)


class RoomCreate(LoginRequiredMixin, CreateView):
    """Open a room and go there."""

    form_class = RoomForm
    template_name = "chat/form.html"
    extra_context = {"title": "Open a room", "button": "Open the room"}  # noqa: RUF012


class SignUp(CreateView):
    """Make an account and log in with it."""

    form_class = UserCreationForm
    template_name = "chat/form.html"
    success_url = reverse_lazy("home")
    extra_context = {"title": "Create an account", "button": "Sign up"}  # noqa: RUF012

    def form_valid(self, form: UserCreationForm) -> HttpResponse:
        """Store the account, then log in."""
        response = super().form_valid(form)
        login(self.request, self.object)
        return response


@login_required
@cache_control(private=True, max_age=31536000, immutable=True)
def picture(request: HttpRequest, message_id: int) -> HttpResponse:
    """Return the picture of a message; it never changes, so browsers may keep it."""
    found = get_object_or_404(Picture, pk=message_id)
    return HttpResponse(bytes(found.data), content_type=found.kind)
