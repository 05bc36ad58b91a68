"""What clients and neighbours may do to a site on purpose, and that it serves the next one as if nothing had been."""
