"""What the package is measured against: other stacks, each in an environment and in a small project of its own.

The projects ``classic`` and ``modern`` beside this file run with this directory as the current one, so that their
``channels`` is the one of their environment.
"""
