"""Places: a page says where it is, and hears what happens near it. A place is kept on its connection, never stored or logged."""

from app.features.feature import Feature
from app.features.locations.actions import local_event, set_location
from app.features.locations.routes import routes

__all__ = ["FEATURE"]

FEATURE = Feature("locations", routes, actions={"set-location": set_location, "local-event": local_event})
