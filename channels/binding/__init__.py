"""Data binding: models that tell pages what changed, and pages that change models."""

from channels.binding.base import Binding

__all__ = ["Binding"]
