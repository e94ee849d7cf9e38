"""HTTP/1.1, server-sent events and the dialects. Knows bytes and sockets; refuses to know keys, routes and money."""
