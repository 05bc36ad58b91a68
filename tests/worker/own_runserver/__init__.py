"""An app with a runserver of its own."""
