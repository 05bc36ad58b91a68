"""The app with the project's models."""
