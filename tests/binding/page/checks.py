"""What the page says of its examples, as tests of the project that is made of them."""

import pytest
from django.contrib.auth.models import User
from tasks.models import Task, Team

from channels.exceptions import DenyConnection
from channels.test import TransactionChannelTestCase, WSClient


class PageTests(TransactionChannelTestCase):
    """Two teams; one task in the first."""

    def setUp(self):
        """Make them."""
        self.team, self.other = Team.objects.create(name="Kitchen"), Team.objects.create(name="Garden")
        self.ann = User.objects.create_user("ann")
        self.team.members.add(self.ann)
        self.task = Task.objects.create(team=self.team, author=self.ann, text="Buy tea")

    def open(self, path, user=None):
        """Return a page of ``user``, who is ann unless told otherwise."""
        page = WSClient()
        page.force_login(user or self.ann)
        page.set_header("origin", "http://testserver")
        page.send_and_consume("websocket.connect", path=path)
        while page.receive() is not None:
            pass
        return page

    def ask(self, page, stream, action, pk=None, **data):
        """Send a change and return the frames that come."""
        payload = {"action": action, "pk": pk, "data": data}
        page.send_and_consume("websocket.receive", text={"stream": stream, "payload": payload})
        frames = []
        while (frame := page.receive()) is not None:
            frames.append(frame)
        return frames

    def error(self, frames):
        """Return the error of the one frame there is."""
        (frame,) = frames
        return frame["error"]

    def test_change_is_answered_with_itself(self):
        """The page is in the group that sees the row."""
        page = self.open(f"/teams/{self.team.pk}/")
        (frame,) = self.ask(page, "tasks", "update", self.task.pk, is_done=True)
        assert frame["payload"]["data"] == {"text": "Buy tea", "is_done": True}

    def test_strangers_do_not_get_in(self):
        """They are in no team."""
        with pytest.raises(DenyConnection):
            self.open(f"/teams/{self.team.pk}/", User.objects.create_user("eve"))

    def test_rows_of_other_teams_are_not_there(self):
        """For pages of this one."""
        self.task.team = self.other
        self.task.save()
        page = self.open(f"/teams/{self.team.pk}/")
        for action in ("update", "delete"):
            error = self.error(self.ask(page, "tasks", action, self.task.pk, text="mine"))
            assert (error["code"], error["action"], error["pk"]) == ("not_found", action, self.task.pk)

    def test_pages_choose_neither_team_nor_author(self):
        """The server gives both."""
        page = self.open(f"/teams/{self.team.pk}/")
        self.ask(page, "tasks", "create", text="new", team=self.other.pk, author=77)
        made = Task.objects.get(text="new")
        assert (made.team, made.author) == (self.team, self.ann)

    def test_who_left_the_team_may_do_nothing(self):
        """The socket is open still."""
        page = self.open(f"/teams/{self.team.pk}/")
        self.team.members.clear()
        assert self.error(self.ask(page, "tasks", "delete", self.task.pk))["code"] == "permission_denied"

    def test_error_of_the_page(self):
        """Word for word."""
        page = self.open(f"/teams/{self.team.pk}/")
        error = self.error(self.ask(page, "tasks", "update", self.task.pk, text=""))
        fields = {"text": ["This field cannot be blank."]}
        detail = "The values are not valid."
        assert error == {"code": "invalid", "detail": detail, "action": "update", "pk": self.task.pk, "fields": fields}

    def test_members_are_sent(self):
        """With two underscores for a dot."""
        page = self.open(f"/further/{self.team.pk}/")
        self.task.save()
        frames = [page.receive(), page.receive()]
        (data,) = [frame["payload"]["data"] for frame in frames if frame["stream"] == "tasks"]
        assert data == {"text": "Buy tea", "author__username": "ann", "team__name": "Kitchen"}

    def test_action_of_its_own(self):
        """And a refusal of its own."""
        page = self.open("/further/0/")
        error = self.error(self.ask(page, "closing", "delete", self.task.pk))
        assert (error["code"], error["detail"]) == ("not_done", "Close the task first.")
        assert self.ask(page, "closing", "close", self.task.pk) == []
        assert Task.objects.get().is_done
        assert self.ask(page, "closing", "delete", self.task.pk) == []
        assert not Task.objects.exists()

    def test_serializer_writes_and_reads(self):
        """What it refuses is answered."""
        page = self.open(f"/further/{self.team.pk}/")
        frames = self.ask(page, "serialized", "create", text="new", author="eve")
        (data,) = [frame["payload"]["data"] for frame in frames if frame["stream"] == "serialized"]
        assert data == {"text": "new", "is_done": False, "author": "ann"}
        error = self.error(self.ask(page, "serialized", "update", self.task.pk, text=""))
        assert error["fields"] == {"text": ["This field may not be blank."]}
