"""A site that is all Django's own: admin, users, messages, static files, and a model with a file."""
