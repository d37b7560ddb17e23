"""What the hub counts: connections, deliveries, the journal, and pages that come back."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Final, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.hub.close import Close
from app.hub.hub import Hub
from app.hub.lease import Lease, Owner
from app.monitoring.families import add_histogram

Family = TypeVar("Family", GaugeMetricFamily, CounterMetricFamily)
LEFT: Final = "left"
"""Why a connection ended, where we did not end it: its page has gone, or its network."""
_DOORS: Final = ("ws", "sse")
_REASONS: Final = (LEFT, *(why.name.lower() for why in Close))
_WAYS_IN: Final = (*product(("ws",), ("wsx.v1", "wsx", "htmx", "turbo")), *product(("sse",), ("wsx", "htmx", "turbo")))
"""All are told from the start: what a counter has been counts only from the second time on that it is seen."""


class HubCollector(Collector):
    """Reads the hub's numbers when they are asked for."""

    def __init__(self, hub: Hub, lease: Lease) -> None:
        self._hub = hub
        self._lease = lease

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        yield from self._connections()
        yield from self._deliveries()
        yield from self._cluster()
        yield from self._journal()
        yield from self._returned()
        yield from self._paced()

    def _connections(self) -> Iterator[Metric]:
        registry, labels = self._hub.registry, ["door", "dialect"]
        came, there = Counter(dict.fromkeys(_WAYS_IN, 0)), Counter(dict.fromkeys(_WAYS_IN, 0))
        ended = Counter(dict.fromkeys(product(_DOORS, _REASONS), 0))
        for name, count in registry.came.items():
            came[_way_in(name)] += count
            there[_way_in(name)] += count
        for (name, why), count in registry.went.items():
            there[_way_in(name)] -= count
            ended[_way_in(name)[0], _reason(why)] += count
        yield _family(GaugeMetricFamily("wsx_connections", "Open connections", labels=labels), there.items())
        yield _family(CounterMetricFamily("wsx_connections_opened", "Connections that were opened", labels=labels), came.items())
        closed = "Connections that have ended, by why we hung up; left: we did not, its page or its network has gone"
        yield _family(CounterMetricFamily("wsx_connections_closed", closed, labels=["door", "reason"]), ended.items())
        yield GaugeMetricFamily("wsx_users_connected", "Users with at least one connection", registry.user_count())
        yield GaugeMetricFamily("wsx_users_online", "Users who are online here, the grace included", len(self._hub.presence))

    def _deliveries(self) -> Iterator[Metric]:
        delivery, receipts, latency = self._hub.delivery, self._hub.receipts, self._hub.latency
        yield CounterMetricFamily("wsx_deliveries", "Updates that were queued for connections", receipts.queued)
        refused = "Updates that connections did not take: they were leaving, or too far behind and closed"
        yield CounterMetricFamily("wsx_deliveries_refused", refused, receipts.refused)
        sent = "Bytes of messages that were given to sockets, as if nothing were compressed"
        yield CounterMetricFamily("wsx_sent_bytes", sent, delivery.writing.sent_bytes)
        superseded = "Updates that newer ones made invisible before they could be written, so they were not"
        yield CounterMetricFamily("wsx_superseded", superseded, delivery.superseded)
        held = "Bytes that wait for connections that take nothing at the moment"
        yield GaugeMetricFamily("wsx_outbox_held_bytes", held, delivery.held_bytes)
        yield GaugeMetricFamily("wsx_outbox_waiting", "Connections that are to be written to next", delivery.writing.ahead)
        took = "Seconds from a publication to its last write on this node, by where it was published"
        family = HistogramMetricFamily("wsx_publish_to_write_seconds", took, labels=["published"])
        add_histogram(family, ["here"], latency.here)
        add_histogram(family, ["elsewhere"], latency.elsewhere)
        yield family

    def _cluster(self) -> Iterator[Metric]:
        roster = self._hub.roster
        yield GaugeMetricFamily(
            "wsx_nodes", "Nodes of the cluster that live, as this one knows, itself among them", len(roster.nodes)
        )
        elsewhere = "Users with at least one connection on other nodes; one who is here, too, counts"
        yield GaugeMetricFamily("wsx_users_elsewhere", elsewhere, roster.users_elsewhere)
        online = "Users who are online on any node, each once, as this one knows; the grace included"
        yield GaugeMetricFamily("wsx_cluster_users_online", online, self._hub.presence.count_everywhere())
        yield GaugeMetricFamily("wsx_roster_stale", "1 while it is not known who is on other nodes", roster.is_stale)
        is_held = self._lease.owner is Owner.HERE
        yield GaugeMetricFamily("wsx_lease_held", "1 on the node that does what is done once in the cluster, on a clock", is_held)

    def _journal(self) -> Iterator[Metric]:
        health = self._hub.journal.health()
        away = health.state in {"away", "never reached"}
        yield GaugeMetricFamily("wsx_journal_up", "Whether the journal can be reached", value=not away)
        lag = "Seconds that this node is behind the journal; while that is away, since it was last heard of"
        yield GaugeMetricFamily("wsx_journal_lag_seconds", lag, value=health.lag_s)
        yield CounterMetricFamily("wsx_journal_reconnects", "How often the journal was away and came back", value=health.reconnects)
        yield CounterMetricFamily("wsx_journal_entries", "Entries of the journal that reached this node", value=health.entries)
        losses = "How often the journal had lost entries, or this node had missed them for good: all its pages were told a gap"
        yield CounterMetricFamily("wsx_journal_losses", losses, value=self._hub.returning.counts.losses)

    def _returned(self) -> Iterator[Metric]:
        counts = self._hub.returning.counts
        resumed = "Pages that came back and missed nothing, or were shown all of it"
        yield CounterMetricFamily("wsx_resumed", resumed, value=counts.resumed)
        yield CounterMetricFamily(
            "wsx_gaps", "Pages that came back and of which not all that they missed was known", value=counts.gaps
        )
        yield CounterMetricFamily("wsx_replayed_messages", "Messages that pages had missed and were shown", value=counts.replayed)
        yield GaugeMetricFamily("wsx_catching_up", "Pages that are shown what they missed", value=len(self._hub.returning.running))

    def _paced(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("wsx_paced_waiting", "Broadcasts that wait in a paced queue", labels=["queue"])
        sent = CounterMetricFamily("wsx_paced_sent", "Broadcasts that a paced queue has sent", labels=["queue"])
        failed = CounterMetricFamily("wsx_paced_failed", "Broadcasts of a paced queue that failed", labels=["queue"])
        refused = CounterMetricFamily("wsx_paced_refused", "Broadcasts that a full paced queue refused", labels=["queue"])
        expired = CounterMetricFamily("wsx_paced_expired", "Broadcasts whose time was over in a paced queue", labels=["queue"])
        for queue in self._hub.paced_queues:
            counts = queue.counts()
            waiting.add_metric([queue.name], counts.waiting)
            sent.add_metric([queue.name], counts.sent)
            failed.add_metric([queue.name], counts.failed)
            refused.add_metric([queue.name], counts.refused)
            expired.add_metric([queue.name], counts.expired)
        yield from (waiting, sent, failed, refused, expired)


def _family(family: Family, samples: Iterable[tuple[Sequence[str], int]]) -> Family:
    """The family with these samples, each with the values of its labels."""
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _way_in(name: str) -> tuple[str, str]:
    """Door and dialect: `sse+htmx` is htmx at the door of streams; how a page wants its batches says nothing."""
    first, _, second = name.partition("+")
    return (first, second or "wsx") if first == "sse" else ("ws", first)


def _reason(why: Close | None) -> str:
    return LEFT if why is None else why.name.lower()
