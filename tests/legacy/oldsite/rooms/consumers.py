"""Consumers as the tutorials of 1.x taught them, one theme after the other."""

from django.http import HttpResponse

from channels import Channel, Group
from channels.auth import channel_session_user, channel_session_user_from_http, transfer_user
from channels.exceptions import ConsumeLater
from channels.handler import AsgiHandler
from channels.security.websockets import allowed_hosts_only
from channels.sessions import channel_and_http_session, channel_session, enforce_ordering

from .models import Line

# Requests without views


def raw_page(message):
    """Answer a request by hand."""
    response = HttpResponse("raw: %s" % message.content["path"])
    for part in AsgiHandler.encode_response(response):
        message.reply_channel.send(part)


def handled_page(message):
    """Answer a request through the views, by hand."""
    for part in AsgiHandler()(message):
        message.reply_channel.send(part)


# Echo: no connect consumer at all


def echo(message):
    """Send back what came."""
    message.reply_channel.send({"text": message.content["text"]})


# A group; the handshake is left undecided, as before 1.0


def enter(message):
    """Join."""
    Group("everyone").add(message.reply_channel)


def shout(message):
    """Tell all."""
    Group("everyone").send({"text": "somebody: %s" % message.content["text"]})


def leave(message):
    """Part."""
    Group("everyone").discard(message.reply_channel)


# A room in the channel session; whole messages go back to the sockets


@channel_session
def room_enter(message):
    """Join the room of the path."""
    room = message.content["path"].strip("/")
    message.channel_session["room"] = room
    Group("room-%s" % room).add(message.reply_channel)


@channel_session
def room_say(message):
    """Tell the room."""
    Group("room-%s" % message.channel_session["room"]).send(message.content)


@channel_session
def room_leave(message):
    """Leave the room."""
    Group("room-%s" % message.channel_session["room"]).discard(message.reply_channel)


# Users, ordering in its old slight form


@enforce_ordering(slight=True)
@channel_session_user_from_http
def user_enter(message):
    """Join the group of the first letter; the user is transferred twice, which must do no harm."""
    transfer_user(message.http_session, message.channel_session)
    Group("letter-%s" % message.user.username[0]).add(message.reply_channel)


@enforce_ordering(slight=True)
@channel_session_user
def user_say(message):
    """Tell who has the same first letter."""
    Group("letter-%s" % message.user.username[0]).send({"text": "%s: %s" % (message.user, message["text"])})


@enforce_ordering(slight=True)
@channel_session_user
def user_leave(message):
    """Leave it."""
    Group("letter-%s" % message.user.username[0]).discard(message.reply_channel)


# A channel of one's own between socket and database


@channel_session
def lines_receive(message):
    """Hand the line on."""
    Channel("lines").send({"room": message.channel_session["room"], "words": message.content["text"]})


def lines_save(message):
    """Save the line and tell the room; the first try comes too early."""
    if "__retries__" not in message.content:
        raise ConsumeLater
    line = Line.objects.create(room=message.content["room"], words=message.content["words"])
    Group("room-%s" % line.room).send({"text": "%s has %d" % (line.room, Line.objects.filter(room=line.room).count())})


# Strict ordering on the receive consumer alone


@enforce_ordering
def ordered(message):
    """Send back what came."""
    message.reply_channel.send({"text": message["text"]})


# 2017: handshakes are accepted by hand, origins are checked, the visitor's session is there on every message


@allowed_hosts_only
@channel_and_http_session
def visitor_connect(message):
    """Accept whoever has been here before."""
    message.reply_channel.send({"accept": bool(message.http_session)})


@channel_and_http_session
def visitor_receive(message):
    """Read the visitor's session, or close."""
    if message["text"] == "bye":
        message.reply_channel.send({"text": "bye", "close": True})
    else:
        message.reply_channel.send({"text": message.http_session.get("colour", "none")})
