"""The pages of the handler tests as a project that real servers serve, with Django's own handlers beside ours."""
