"""The pages of the team chat; they are ordinary Django views."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin, UserPassesTestMixin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse_lazy
from django.views.decorators.http import require_POST
from django.views.generic import DetailView, RedirectView

from .consumers import RoomConsumer, room_group
from .messages import TopicEvent
from .models import Room
from .permissions import is_member, may_change_topic


class Home(LoginRequiredMixin, RedirectView):
    """Go to the room of everybody."""

    url = reverse_lazy("room", args=["everybody"])


class RoomPage(UserPassesTestMixin, DetailView):
    """A room: the rest happens on its socket."""

    model = Room
    template_name = "teamchat/room.html"

    def test_func(self) -> bool:
        """Let members in."""
        return self.request.user.is_authenticated and is_member(self.request.user, self.get_object())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the rooms that the user may enter, and what the script needs to know."""
        rooms: QuerySet[Room] = Room.objects.filter(Q(is_open=True) | Q(members=self.request.user)).distinct()
        page = {
            "user": self.request.user.get_username(),
            "socket": f"{self.object.get_absolute_url()}socket/",
            "inbox": "/inbox/",
        }
        may_change = may_change_topic(self.request.user, self.object)
        return super().get_context_data(rooms=rooms, page=page, may_change=may_change, **kwargs)


@login_required
@require_POST
def change_topic(request: HttpRequest, slug: str) -> HttpResponse:
    """Say what a room is about, and tell the consumers of everybody in it."""
    room = get_object_or_404(Room, slug=slug)
    if not is_member(request.user, room) or not may_change_topic(request.user, room):
        raise PermissionDenied("Only the owner of a room changes its topic.")
    room.topic = request.POST.get("topic", "").strip()[:120]
    room.save(update_fields=["topic"])
    RoomConsumer.send_channel_event(room_group(room), TopicEvent(payload=room.topic))
    return HttpResponse(status=204)
