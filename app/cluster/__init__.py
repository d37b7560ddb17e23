"""What several nodes share, by one Redis. A node of its own needs none of it."""
