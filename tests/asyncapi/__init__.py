"""The document of typed consumers, its pages, and what reads it."""
