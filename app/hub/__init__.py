"""Who is connected, who hears, and how far behind each may be.

Nothing here awaits a socket: a publication is put into outboxes, and an outbox writes when its socket can take it. Nothing here
knows HTTP, SQL or Redis; the import contracts hold that line.
"""
