"""Who does what is done once in the cluster, on a clock: the port, and its form for a node that is alone."""

from enum import Enum
from typing import Protocol

from app.hub.hooks import Hooks


class Owner(Enum):
    """Where the lease is."""

    HERE = "here"
    """This node has it, and nobody else can."""
    ELSEWHERE = "elsewhere"
    """Another node has it, or had it a moment ago."""
    UNKNOWN = "unknown"
    """It cannot be asked. Only work may go on that does no harm when several do it."""


class Lease(Protocol):
    """At most one node of a cluster has it, and of those that live one has it soon."""

    @property
    def owner(self) -> Owner:
        """Who has it, now. Ask again before each piece of work: it may end at any time."""

    on_change: Hooks[[]]
    """Called when the owner has become another word."""


class OwnLease:
    """The lease of the only node."""

    def __init__(self) -> None:
        self.owner = Owner.HERE
        self.on_change: Hooks[[]] = Hooks("lease")
