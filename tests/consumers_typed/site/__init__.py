"""A project with typed consumers, as a team would write it; tests run it behind a server with workers."""
