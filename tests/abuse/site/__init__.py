"""A project with something to steal, served by real servers and attacked over real sockets."""
