"""Tokens that were revoked: of a user, all that were issued until then.

In the memory of each node, so that no connect asks a database. Who has them revoked, and how every node hears of it, is in
`app.features.tokens`.
"""

from datetime import datetime

from app.kernel.errors import Unauthenticated
from app.kernel.identity import User


class Revocations:
    """Until when tokens of which users do not count. 150 bytes for each user whose tokens were ever revoked."""

    def __init__(self) -> None:
        self._until: dict[str, datetime] = {}

    def note(self, user_id: str, until: datetime) -> bool:
        """What was issued until then counts no more. False: that was known."""
        known = self._until.get(user_id)
        if known is not None and known >= until:
            return False
        self._until[user_id] = until
        return True

    def cover(self, user: User) -> bool:
        """Whether the token that said who this is was revoked. One that does not say when it was issued may be from before."""
        until = self._until.get(user.id)
        return until is not None and (user.issued_at is None or user.issued_at <= until)

    def check(self, user: User) -> None:
        """Raises Unauthenticated when the token was revoked."""
        if not self.cover(user):
            return
        if user.issued_at is None:
            raise Unauthenticated("the tokens of this user were revoked, and this one does not say when it was issued (`iat`)")
        raise Unauthenticated("the connection token was revoked; get a fresh one from the site")
