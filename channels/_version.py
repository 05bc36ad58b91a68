"""The version of the distribution, read as text by ``setup.py``."""

__version__ = "1.2.0"
