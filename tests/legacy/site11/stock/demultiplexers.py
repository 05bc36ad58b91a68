from channels.generic.websockets import JsonWebsocketConsumer, WebsocketDemultiplexer

from .binders import ItemBinding, LowBinding


class NoteConsumer(JsonWebsocketConsumer):

    def connect(self, message, multiplexer, **kwargs):
        multiplexer.send({"shelf": kwargs["shelf"]})

    def receive(self, content, multiplexer, **kwargs):
        multiplexer.group_send("shelf-%s" % kwargs["shelf"], multiplexer.stream, {"note": content["note"]})


class Demultiplexer(WebsocketDemultiplexer):

    http_user = True
    slight_ordering = True

    consumers = {
        "items": ItemBinding.consumer,
        "low": LowBinding.consumer,
        "notes": NoteConsumer,
    }

    def connection_groups(self, shelf, **kwargs):
        return ["shelf-%s" % shelf, "low-stock"]
