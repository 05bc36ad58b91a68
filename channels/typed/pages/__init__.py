"""Pages about the typed consumers of a project: the reference made of their document, and the playground."""
