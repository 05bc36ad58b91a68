"""The socket of a lamp."""

import os

from django.conf import settings

from channels import Group
from channels.generic.websockets import JsonWebsocketConsumer
from lamps.models import Lamp


class LampConsumer(JsonWebsocketConsumer):
    """Switches a lamp, and tells everybody who looks at it."""

    http_user = True

    def connection_groups(self, name, **kwargs):
        return [f"lamp.{name}"]

    def receive(self, content, name, **kwargs):
        if content == "who":
            self.send([os.getpid(), settings.COLOUR, self.message.user.get_username()])
            return
        lamp = Lamp.objects.get(name=name)
        lamp.is_on = content["on"]
        lamp.save()
        Group(f"lamp.{name}").send({"text": self.encode_json({"on": lamp.is_on})})
