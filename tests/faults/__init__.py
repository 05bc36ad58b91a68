"""What promises are worth when processes, servers, networks and clients fail: a site under traffic, and a checker."""
