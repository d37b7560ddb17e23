"""What the product does: a folder each, in the order in which they start. A new kind of broadcast is a folder and a line here."""

from app.features import (
    announcements,
    audit,
    broadcasts,
    chat,
    connections,
    content,
    cursor,
    dashboard,
    follows,
    idempotency,
    keys,
    locations,
    maintenance,
    messages,
    notifications,
    rooms,
    sign_in,
    users,
)
from app.features.feature import Feature

FEATURES: tuple[Feature, ...] = (
    audit.FEATURE,
    idempotency.FEATURE,
    users.FEATURE,
    keys.FEATURE,
    sign_in.FEATURE,
    content.FEATURE,
    broadcasts.FEATURE,
    announcements.FEATURE,
    notifications.FEATURE,
    rooms.FEATURE,
    messages.FEATURE,
    chat.FEATURE,
    follows.FEATURE,
    locations.FEATURE,
    dashboard.FEATURE,
    maintenance.FEATURE,
    connections.FEATURE,
    cursor.FEATURE,
)
