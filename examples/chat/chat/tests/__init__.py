"""How a project with sockets is tested, to be read in this order: consumers, fixtures, pages.

Run them, in the directory of ``manage.py``, by ``python -m pytest``.
"""
