"""`wsx audit`: the audit log, on the machine itself."""

import argparse
import asyncio
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from app.cli.console import migrated, say, with_database
from app.db.session import Database
from app.features.audit import AuditEventRow, Wanted, newest_of, since
from app.kernel.clock import utc_now

SHOWN = 50
MAX_SHOWN = 10_000
LOOK_EVERY_S = 1.0
LOOKS_BACK = timedelta(seconds=30)
"""Refusals are written up to ten seconds after the first of them, and the clocks of nodes differ."""


def list_events(options: argparse.Namespace) -> None:
    wanted = _wanted(options)
    if options.since is not None:
        wanted = wanted._replace(since=utc_now() - options.since)

    async def show(database: Database) -> None:
        async with database.reading() as session:
            _show(await newest_of(session, wanted, options.limit))

    with_database(migrated(), show)


def tail(options: argparse.Namespace) -> None:
    wanted = _wanted(options)

    async def follow(database: Database) -> None:
        seen: set[UUID] = set()
        while True:
            async with database.reading() as session:
                events = await since(session, wanted._replace(since=utc_now() - LOOKS_BACK))
            _show(event for event in events if event.id not in seen)
            seen = {event.id for event in events}
            await asyncio.sleep(LOOK_EVERY_S)

    with_database(migrated(), follow)


def _wanted(options: argparse.Namespace) -> Wanted:
    if options.key is not None:
        return Wanted("key", options.key, options.operation)
    if options.user is not None:
        return Wanted("user", options.user, options.operation)
    return Wanted(operation=options.operation)


def _show(events: Iterable[AuditEventRow]) -> None:
    for event in events:
        outcome = f"{event.status}{f' {event.code}' if event.code else ''}{f' x{event.times}' if event.times > 1 else ''}"
        facts = {**event.targets, **event.counts, **({"audience": event.audience["kind"]} if event.audience else {})}
        about = " ".join(f"{name}={value!r}" if " " in str(value) else f"{name}={value}" for name, value in facts.items())
        who = f"{event.actor}:{event.actor_id or '-'} ({event.actor_name})" if event.actor_name else event.actor
        words = f"{event.at.isoformat(timespec='milliseconds')}  {outcome:12}  {event.operation:24}  {who}  {event.address or '-'}"
        say("".join(one if one.isprintable() else "?" for one in f"{words}  {about}  {event.request_id}".rstrip()))
