"""Class-based consumers as projects of 1.x wrote them."""

from django.utils.decorators import method_decorator

from channels import Channel, Group
from channels.generic import BaseConsumer
from channels.generic.websockets import (
    JsonWebsocketConsumer,
    WebsocketConsumer,
    WebsocketDemultiplexer,
)
from channels.sessions import channel_session


class Jobs(BaseConsumer):
    """Work in the background: one method per channel."""

    method_mapping = {
        "jobs.double": "double",
        "jobs.square": "square",
    }

    def double(self, message, **kwargs):
        """Answer with twice the number."""
        Group("workshop").send({"text": "double %d" % (2 * self.message["number"])})

    def square(self, message, **kwargs):
        """Answer with the square."""
        Group("workshop").send({"text": "square %d" % (message["number"] ** 2)})


class Workshop(WebsocketConsumer):
    """Hands numbers to the jobs; its group is joined and left by itself."""

    strict_ordering = True

    def connection_groups(self, **kwargs):
        """Hear what the jobs find out."""
        return ["workshop"]

    def receive(self, text=None, bytes=None, **kwargs):
        """Take a job and a number."""
        job, number = text.split()
        Channel("jobs.%s" % job).send({"number": int(number)})


class Mirror(WebsocketConsumer):
    """Sends back frames of either kind, and says who is there, on which path, when asked."""

    http_user = True

    def connect(self, message, **kwargs):
        """Accept by hand."""
        self.message.reply_channel.send({"accept": True})

    def receive(self, text=None, bytes=None, **kwargs):
        """Echo, or answer a question."""
        if text == "who?":
            self.send(text="%s on %s in %s" % (self.message.user, self.path, kwargs["place"]))
        elif text == "bye":
            self.close(4000)
        else:
            self.send(text=text, bytes=bytes)

    def disconnect(self, message, **kwargs):
        """Do nothing."""


class Json(JsonWebsocketConsumer):
    """Decoded frames in, encoded frames out; the connect method decides nothing."""

    channel_session_user = True
    groups = ["json"]

    def connect(self, message, **kwargs):
        """Leave it at that."""

    def receive(self, content, **kwargs):
        """Echo to one, or to all."""
        if content.get("to") == "all":
            self.group_send("json", content)
        else:
            self.send(content)


class Counter(WebsocketConsumer):
    """Counts in the channel session, by a decorator around the handler and one on a method."""

    def get_handler(self, *args, **kwargs):
        """Wrap what consumes the message."""
        return channel_session(super(Counter, self).get_handler(*args, **kwargs))

    @method_decorator(channel_session)
    def connect(self, message, **kwargs):
        """Start at the number of the class."""
        message.channel_session["count"] = self.first
        message.reply_channel.send({"accept": True})

    def receive(self, text=None, bytes=None, **kwargs):
        """Count on."""
        self.message.channel_session["count"] += 1
        self.send(text=str(self.message.channel_session["count"]))


class EchoStream(JsonWebsocketConsumer):
    """One stream of several."""

    def connect(self, message, multiplexer, **kwargs):
        """Greet."""
        multiplexer.send({"greeting": "on %s" % multiplexer.stream})

    def receive(self, content, multiplexer, **kwargs):
        """Echo."""
        multiplexer.send({"echo": content})


class QuietStream(JsonWebsocketConsumer):
    """Another one, which only listens."""

    def receive(self, content, multiplexer=None, **kwargs):
        """Send through what holds the streams, to see that it is there."""
        frame = multiplexer.demultiplexer.encode("echo", {"heard": content})
        self.message.reply_channel.send(frame)


class Streams(WebsocketDemultiplexer):
    """Both streams over one socket."""

    consumers = {
        "echo": EchoStream,
        "quiet": QuietStream,
    }
