"""Users who have just left. They may come back and catch up, so what is published meanwhile must name them, too."""

from collections import OrderedDict
from collections.abc import Set as AbstractSet

from app.kernel.clock import monotonic


class JustLeft:
    """The users whose last connection ended no longer ago than this. Looked through when another one leaves: no timers."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._left_at: OrderedDict[str, float] = OrderedDict()

    def add(self, user_id: str) -> None:
        """The user's last connection ended."""
        now = monotonic()
        self._left_at[user_id] = now
        self._left_at.move_to_end(user_id)
        while now - next(iter(self._left_at.values())) > self._within_s:
            self._left_at.popitem(last=False)

    def __contains__(self, user_id: str) -> bool:
        """Whether the user has just left, and may be back by now."""
        return user_id in self._left_at

    def among(self, user_ids: AbstractSet[str]) -> AbstractSet[str]:
        """Those of the users who have just left."""
        return user_ids & self._left_at.keys()

    def __len__(self) -> int:
        """How many have just left."""
        return len(self._left_at)
