"""Consumers that do nothing but what is measured."""

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer


class Echo(AsyncWebsocketConsumer):
    """Send a frame back."""

    async def receive(self, text_data=None, bytes_data=None):
        """Answer a frame."""
        await self.send(text_data=text_data)


class SyncEcho(WebsocketConsumer):
    """Send a frame back, from a thread."""

    def receive(self, text_data=None, bytes_data=None):
        """Answer a frame."""
        self.send(text_data=text_data)


class Broadcast(AsyncWebsocketConsumer):
    """Send a frame to everybody."""

    groups = ["everybody"]

    async def receive(self, text_data=None, bytes_data=None):
        """Pass a frame on."""
        await self.channel_layer.group_send("everybody", {"type": "pass.on", "text": text_data})

    async def pass_on(self, event):
        """Send what was passed on."""
        await self.send(text_data=event["text"])
