"""What features share while one application lives."""

from typing import TypeVar, cast

from litestar.di import NamedDependency

from app.auth.tickets import Tickets
from app.auth.tokens import Tokens
from app.db.session import Database
from app.hub.everywhere import Everywhere
from app.hub.hub import Hub
from app.hub.lease import Lease, OwnLease
from app.hub.once import MemoryOnce
from app.settings import Settings

T = TypeVar("T")


class Services:
    """The parts that every feature may use, and one object of each kind that features keep their state in."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        hub: Hub,
        tokens: Tokens,
        *,
        everywhere: Everywhere | None = None,
        lease: Lease | None = None,
        tickets: Tickets | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.hub = hub
        self.tokens = tokens
        self._tickets = tickets
        self.everywhere = everywhere or Everywhere.of_one(hub)
        """The connections of all nodes; `hub` has those of this one."""
        self.lease = lease or OwnLease()
        """Of what one node of the cluster does for all, on a clock."""
        self._made: dict[type, object] = {}

    @property
    def tickets(self) -> Tickets:
        """For handshakes; of this process alone, where none of all nodes were given."""
        if self._tickets is None:
            self._tickets = Tickets(MemoryOnce(), self.tokens.revocations)
        return self._tickets

    def of(self, kind: type[T]) -> T:
        """The one object of this kind. It is made, from these services, when it is first asked for."""
        made = self._made.get(kind)
        if made is None:
            made = self._made[kind] = kind(self)  # type: ignore[call-arg]  # the kinds take just this, which `type[T]` cannot say
        return cast("T", made)


GivenServices = NamedDependency[Services]
