"""Channels: synchronous consumers of messages for Django."""

from channels._version import __version__ as __version__
