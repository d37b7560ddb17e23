"""What travels on a socket, as pure functions of values to bytes and back. Nothing here waits, and nothing knows a user."""
