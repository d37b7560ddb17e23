"""The journal that the settings ask for: of one process alone, or of all that share a Redis."""

from app.cluster.client import make_client
from app.journal.memory import MemoryJournal
from app.journal.port import Journal
from app.journal.redis import LOOK_EVERY_S, RedisJournal
from app.kernel.deadline import Deadline
from app.settings import Settings


def make_journal(settings: Settings, node_id: str, deadline: Deadline) -> Journal:
    """It follows nothing before it runs. `deadline`: of a stop, for what is said to Redis."""
    max_entries, max_age_s = settings.replay_entries, settings.replay_s
    if not settings.redis_url:
        return MemoryJournal(max_entries, max_age_s=max_age_s)
    commands, follower = (make_client(settings.redis_url, node_id, waits_s=waits_s) for waits_s in (0.0, LOOK_EVERY_S))
    return RedisJournal(commands, follower, deadline, max_entries=max_entries, max_age_s=max_age_s)
