"""Who is within reach: those users who hear what is published now. Nobody else need be named in what travels."""

from collections.abc import Set as AbstractSet

from app.hub.absent import JustLeft
from app.hub.audience import Audience
from app.hub.registry import Registry
from app.hub.roster import Roster
from app.hub.settling import Follows, is_settled, settled, without_absent


class Reach:
    """Of one node, which knows who is on it, who has just left it, and who is on the others."""

    def __init__(self, registry: Registry, just_left: JustLeft, roster: Roster, follows: Follows) -> None:
        self._registry = registry
        self._just_left = just_left
        self._roster = roster
        self._follows = follows

    def within(self, user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Those of the users who may hear what is published now: they have a connection, or have just left and may come back to it.

        On whatever node. All of them, while it is not known who is on other nodes.
        """
        here = self._registry.connected(user_ids) | self._just_left.among(user_ids)
        return here | self._roster.may_be_elsewhere(user_ids)

    def without_absent(self, audience: Audience) -> Audience:
        """The audience without the users who are out of reach: to publish, in this turn, to one that was settled to be kept."""
        return without_absent(audience, self.within)

    async def settle(self, audience: Audience, *, also_absent: bool = False) -> Audience:
        """As `Hub.settle`."""
        return audience if is_settled(audience) else await settled(audience, self._follows, _all if also_absent else self.within)


def _all(user_ids: AbstractSet[str]) -> AbstractSet[str]:
    return user_ids
