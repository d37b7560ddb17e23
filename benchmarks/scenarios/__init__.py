"""All scenarios, in the order in which they run."""

from benchmarks.scenario import Scenario
from benchmarks.scenarios import (
    cluster,
    connects,
    console,
    deflate,
    fanout,
    history,
    loop,
    memory,
    requests,
    room,
    stalled,
    talk,
    writes,
)

ALL: tuple[Scenario, ...] = (
    fanout.ONE_PUBLISHER,
    fanout.TEN_THOUSAND,
    fanout.MANY_PUBLISHERS,
    room.ROOM,
    talk.TALK,
    writes.ON_SQLITE,
    writes.ON_POSTGRESQL,
    requests.REQUESTS,
    connects.CONNECTS,
    memory.MEMORY,
    loop.LOOP,
    console.CONSOLE,
    deflate.DEFLATE,
    stalled.STALLED_ONES,
    cluster.TWO_NODES,
    history.HISTORY,
)
