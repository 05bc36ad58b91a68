"""The migration report: reads a project written for Channels 1.x, without running it, and lists what needs attention.

Run it as ``python -m channels.legacy [path ...]`` or ``manage.py legacyreport``. Nothing else in the package uses it.
"""
