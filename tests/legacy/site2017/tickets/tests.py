from channels import Channel
from channels.tests import ChannelTestCase, WSClient, apply_routes
from django.contrib.auth.models import User

from . import consumers
from .models import Line


class TicketTests(ChannelTestCase):

    def test_line_is_saved_and_sent(self):
        user = User.objects.create_user(username="ann", password="pw")
        client = WSClient()
        client.login(username="ann", password="pw")
        client.set_header("origin", "http://localhost")
        client.send_and_consume("websocket.connect", path="/tickets/7/")
        self.assertIsNone(client.receive())
        client.send_and_consume("websocket.receive", path="/tickets/7/", text="hello")
        self.assertEqual(client.receive(), {"ticket": 7, "text": "hello", "by": "ann"})
        self.assertEqual(Line.objects.get().author, user)

    def test_announcement_leaves_by_its_own_channel(self):
        Channel("tickets.announce").send({"ticket": 1, "text": "!"})
        message = self.get_next_message("tickets.announce", require=True)
        self.assertEqual(message.content, {"ticket": 1, "text": "!"})

    def test_agents_hear_each_other(self):
        with apply_routes([consumers.Agents.as_route(path=r"^/agents/(?P<team>[a-z]+)/$")]):
            client = WSClient()
            client.send_and_consume("websocket.connect", path="/agents/red/", check_accept=False)
            client.send_and_consume("websocket.receive", path="/agents/red/", text={"a": 1})
            client.receive()
            self.assertEqual(client.receive(), {"said": {"a": 1}, "by": ""})
