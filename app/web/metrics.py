"""`/metrics`: numbers for Prometheus, in its text format. Needs a key with the scope `metrics:read`."""

from collections.abc import Iterator, Sequence

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from app.hub.hub import Hub
from app.hub.lease import Lease, Owner
from app.web.operation import operation


class HubCollector(Collector):
    """Reads the hub's numbers when they are asked for: counting costs nothing in between."""

    def __init__(self, hub: Hub, lease: Lease) -> None:
        self._hub = hub
        self._lease = lease

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        hub = self._hub
        yield GaugeMetricFamily("wsx_connections", "Open connections", value=len(hub.registry))
        yield GaugeMetricFamily("wsx_users_connected", "Users with at least one connection", value=hub.registry.user_count())
        yield GaugeMetricFamily("wsx_users_online", "Users who are online, the grace included", value=len(hub.presence))
        held = "Bytes that wait for connections that take nothing at the moment"
        yield GaugeMetricFamily("wsx_outbox_held_bytes", held, value=hub.delivery.held_bytes)
        yield from self._cluster()
        yield from self._journal()
        yield from self._returned()
        yield from self._paced()

    def _cluster(self) -> Iterator[Metric]:
        roster = self._hub.roster
        yield GaugeMetricFamily(
            "wsx_nodes", "Nodes of the cluster that live, as this one knows, itself among them", len(roster.nodes)
        )
        elsewhere = "Users with at least one connection on other nodes; one who is here, too, counts"
        yield GaugeMetricFamily("wsx_users_elsewhere", elsewhere, roster.users_elsewhere)
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


def metrics_routes(hub: Hub, lease: Lease) -> Sequence[HTTPRouteHandler]:
    """`/metrics`: an operation like those of the back office, but for its place and its format."""
    registry = CollectorRegistry()
    registry.register(HubCollector(hub, lease))

    @operation("GET", "/metrics", scope="metrics:read", tag="", summary="Numbers for Prometheus")
    async def metrics() -> Response[bytes]:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return [metrics]
