"""A project that is served by real servers, in processes of its own."""
