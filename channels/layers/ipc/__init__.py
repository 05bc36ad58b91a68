"""The layer between the processes of one machine, without a server."""

from channels.layers.ipc.layer import IPCChannelLayer

__all__ = ["IPCChannelLayer"]
