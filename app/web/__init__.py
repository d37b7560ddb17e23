"""The doors: sockets, REST, errors, health, docs. Whatever knows HTTP and belongs to no single feature."""
