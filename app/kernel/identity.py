"""Who somebody is. Made from a token by `app.auth`; read by everybody."""

from datetime import datetime

import msgspec

ADMIN_ROLE = "admin"


class User(msgspec.Struct, frozen=True, gc=False):
    """A signed-in user, as the site's token says it."""

    id: str
    """The site's own id of the user: the token's `sub`."""
    name: str
    """What other people see; shown escaped."""
    roles: frozenset[str] = frozenset()
    expires_at: datetime | None = None
    """When the token ends, in UTC. None: it was made inside the program and does not end."""
    issued_at: datetime | None = None
    """When the token was issued, in UTC. None: it does not say."""

    @property
    def is_admin(self) -> bool:
        """Whether the user has the role `admin`."""
        return ADMIN_ROLE in self.roles
