"""A small project to be looked at by operators."""
