import json

from channels import Channel, Group
from channels.auth import channel_session_user, channel_session_user_from_http
from channels.generic.websockets import JsonWebsocketConsumer
from channels.security.websockets import allowed_hosts_only
from channels.sessions import enforce_ordering

from .models import Line


@allowed_hosts_only
@enforce_ordering
@channel_session_user_from_http
def ws_connect(message, number):
    # Accept the connection
    message.reply_channel.send({"accept": True})
    message.channel_session["number"] = number
    Group("ticket-%s" % number).add(message.reply_channel)


@enforce_ordering
@channel_session_user
def ws_message(message, number):
    author = message.user if message.user.is_authenticated else None
    Line.objects.create(ticket=number, author=author, text=message["text"])
    Group("ticket-%s" % number).send({
        "text": json.dumps({"ticket": int(number), "text": message["text"], "by": str(message.user)}),
    })
    if "!" in message["text"]:
        Channel("tickets.announce").send({"ticket": number, "text": message["text"]})


@enforce_ordering
@channel_session_user
def ws_disconnect(message, number):
    Group("ticket-%s" % number).discard(message.reply_channel)


def refuse(message):
    return message.reply_channel.send({"close": True})


def announce(message):
    Group("agents-urgent").send({"text": json.dumps({"urgent": message["ticket"]})})


class Agents(JsonWebsocketConsumer):

    http_user = True
    slight_ordering = True

    def connection_groups(self, team, **kwargs):
        return ["agents-%s" % team]

    def connect(self, message, team, **kwargs):
        self.note = "joined %s" % team
        # Newer versions of Channels want this
        return {"accept": True}

    def receive(self, content, team, **kwargs):
        if "close" in content:
            self.close(status=4001)
        else:
            self.group_send("agents-%s" % team, {"said": content, "by": self.message.user.username})
