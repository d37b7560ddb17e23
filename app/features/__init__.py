"""What the product does: a folder each, in the order in which they start. A new kind of broadcast is a folder and a line here."""

from app.features import announcements, broadcasts, connections, keys, notifications, users
from app.features.feature import Feature

FEATURES: tuple[Feature, ...] = (
    users.FEATURE,
    keys.FEATURE,
    broadcasts.FEATURE,
    announcements.FEATURE,
    notifications.FEATURE,
    connections.FEATURE,
)
