"""What a text may hold that is stored."""

NO_NUL = r"^[^\u0000]*$"
"""Pattern of texts that every database takes: PostgreSQL stores no NUL."""
