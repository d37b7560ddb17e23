"""`wsx audit`: the audit log, on the machine itself."""

import argparse
import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.cli.console import migrated, say, with_database
from app.db.session import Database
from app.features.audit import AuditEventRow, Wanted, newest_of, since
from app.kernel.clock import utc_now

SHOWN = 50
MAX_SHOWN = 10_000
LOOK_EVERY_S = 1.0
_EARLIEST = datetime.min.replace(tzinfo=UTC)
LOOKS_BACK = timedelta(seconds=30)
"""The clocks of nodes differ, and a transaction takes its time."""


def list_events(options: argparse.Namespace) -> None:
    wanted = _wanted(options)
    if options.since is not None:
        now = utc_now()
        wanted = wanted._replace(since=now - min(options.since, now - _EARLIEST))

    async def show(database: Database) -> None:
        async with database.reading() as session:
            events = await newest_of(session, wanted, options.limit)
        _show(events)

    with_database(migrated(), show)


def tail(options: argparse.Namespace) -> None:
    wanted = _wanted(options)

    async def follow(database: Database) -> None:
        seen: set[UUID] = set()
        while True:
            async with database.reading() as session:
                events = await since(session, wanted._replace(written_since=utc_now() - LOOKS_BACK))
            _show(event for event in events if event.id not in seen)
            seen = {event.id for event in events}
            await asyncio.sleep(LOOK_EVERY_S)

    with_database(migrated(), follow)


def _wanted(options: argparse.Namespace) -> Wanted:
    wanted = Wanted(operation=options.operation, known=options.known)
    if options.key is not None:
        return wanted._replace(actor="key", actor_id=options.key)
    if options.user is not None:
        return wanted._replace(actor="user", actor_id=options.user)
    return wanted


def _show(events: Iterable[AuditEventRow]) -> None:
    for event in events:
        outcome = f"{event.status}{f' {event.code}' if event.code else ''}{f' x{event.times}' if event.times > 1 else ''}"
        facts = {**event.targets, **event.counts, **({"audience": event.audience["kind"]} if event.audience else {})}
        about = " ".join(f"{name}={value!r}" if " " in str(value) else f"{name}={value}" for name, value in facts.items())
        who = f"{event.actor}:{event.actor_id or '-'} ({event.actor_name})" if event.actor_name else event.actor
        words = f"{event.at.isoformat(timespec='milliseconds')}  {outcome:12}  {event.operation:24}  {who}  {event.address or '-'}"
        say("".join(one if one.isprintable() else "?" for one in f"{words}  {about}  {event.request_id}".rstrip()))
