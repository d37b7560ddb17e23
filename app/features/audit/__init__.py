"""Who did what, when, and who was refused: a log in the database that only grows.

Every call of the REST interface that may change something is in it, with its outcome; so is who was refused a call, what admins do
over the socket, and what the operator does by commands. No body, no HTML, no secret: the operation, ids, counts.

Deeds are gathered and written behind the answers, within `PAUSE_S`; a killed process loses those of that time. Refusals and
failures that are alike are one row each `REFUSALS_S`, which says how many they were: a flood makes a bounded number of rows. Those
of nobody, which cost no key, have a smaller bound of their own, and are kept for `STRANGERS_KEPT_DAYS`.
"""

from app.features.audit.model import AuditEventRow
from app.features.audit.recorder import AuditLog, admin_action, by_command, record, running
from app.features.audit.routes import routes
from app.features.audit.store import Wanted, newest_of, since
from app.features.feature import Feature

__all__ = [
    "FEATURE",
    "AuditEventRow",
    "AuditLog",
    "Wanted",
    "admin_action",
    "by_command",
    "newest_of",
    "record",
    "since",
]

FEATURE = Feature("audit", routes, running=running)
