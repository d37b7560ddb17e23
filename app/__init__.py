"""WSX Server: HTML to every browser that should see it, from one REST call or one line of Python.

What site code imports: `from app import wsx, html, Request, Reply, Connection, Update`, and the audiences.
"""

from app.hub.audience import (
    all_of,
    any_of,
    connections,
    everyone,
    except_,
    followers_of,
    friends_of,
    near,
    roles,
    rooms,
    signed_in,
    users,
)
from app.hub.connection import Connection
from app.hub.face import html, wsx
from app.hub.handlers import Reply, Request
from app.kernel.errors import Refused
from app.wire.update import Fragment, Update

__version__ = "0.1.0"

__all__ = [
    "Connection",
    "Fragment",
    "Refused",
    "Reply",
    "Request",
    "Update",
    "all_of",
    "any_of",
    "connections",
    "everyone",
    "except_",
    "followers_of",
    "friends_of",
    "html",
    "near",
    "roles",
    "rooms",
    "signed_in",
    "users",
    "wsx",
]
