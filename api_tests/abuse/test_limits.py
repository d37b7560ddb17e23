"""Limits at their edges; and the page that lists them all says what the code does."""

import re
from pathlib import Path

import msgspec
import pytest

from api_tests.server import Running, run_server
from app.auth import failures, tokens
from app.db.page import MAX_LIMIT
from app.features.audit import recorder
from app.features.broadcasts.routes import MAX_BATCH
from app.features.console import live
from app.features.console_sessions import service as console_sessions
from app.features.content import filters, sandbox, service
from app.features.content.model import MAX_HTML_CHARS
from app.features.locations.service import MAX_RADIUS_OF_USERS_KM
from app.features.messages.service import MAX_MESSAGE_CHARS
from app.features.users.routes import MAX_ROLES
from app.hub import audience, paced, sessions
from app.journal import memory
from app.serving import door, http, protocol, run, sink, stalls
from app.settings import MAX_WORKERS, Settings
from app.web import conversation
from app.wire import rfc6455, update

PAGE = (Path(__file__).parent.parent.parent / "docs" / "limits.md").read_text()
ROWS = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE))
"""Each limit, and its cell."""
NAMED = {name: cell for name, cell in ROWS.items() if "WSX_" in name}
CONSTANTS = {
    "head of a request": http.MAX_HEAD_BYTES,
    "fields of a request": http.MAX_FIELDS,
    "head of a handshake": door.MAX_HEAD_BYTES,
    "time for a head": http.HEAD_TIMEOUT_S,
    "time for each 262,144 bytes of a body": http.BODY_TIMEOUT_S,
    "parts in which these come": http.MAX_BODY_PARTS,
    "time between two requests on one connection": run.KEEP_ALIVE_S,
    "requests that wait behind another on one connection": http.MAX_QUEUED_REQUESTS,
    "items on a page of a list": MAX_LIMIT,
    "kinds of refusals of callers without a valid key in the [audit log](rest.md#the-audit-log)": recorder.MAX_STRANGERS,
    "days for which these are kept": recorder.STRANGERS_KEPT_DAYS,
    "kinds of other refusals in the audit log": recorder.MAX_ALIKE,
    "events of the audit log that wait for the database": recorder.MAX_WAITING,
    "bytes that wait to be accepted by the system": run.MAX_UNSENT_BYTES,
    "fragments of a message": rfc6455.MAX_FRAGMENTS,
    "control frame": rfc6455.MAX_CONTROL_BYTES,
    "bytes before the handshake is answered": protocol.MAX_EARLY_BYTES,
    "frames of one socket in a turn of the loop": protocol.MAX_HOLD_S * 1_000,
    "unreadable messages in a row": conversation.MAX_UNREADABLE_IN_A_ROW,
    "names that no handler has, in the log": conversation.MAX_MISSING_TOLD,
    "messages that wait for their handler": conversation.MAX_WAITING,
    "connection token": tokens.MAX_TOKEN_CHARS,
    "time to end a closed connection": sink.CLOSE_TIMEOUT_S,
    "time for which a page may take nothing": stalls.MAX_STALL_S,
    "… in bytes": memory.MAX_BYTES,
    "sessions that are kept": sessions.MAX_SESSIONS,
    "a handler's notes in one session": sessions.MAX_SESSION_BYTES,
    "names in an audience": audience.MAX_IDS,
    "audiences beside each other": audience.MAX_AUDIENCES,
    "audiences within audiences": audience.MAX_DEPTH,
    "audiences in one, at whatever depth": audience.MAX_PARTS,
    "… in all audiences of a batch": audience.MAX_PARTS_IN_BATCH,
    "HTML of an update": MAX_HTML_CHARS,
    "sign-ins of one key to the console at a time": console_sessions.MAX_SESSIONS,
    "different things that the pages of one key of the console are shown": live.MAX_VIEWS,
    "time for what one page of the console shows": live.VIEW_WITHIN_S,
    "target of an update": update.MAX_TARGET_CHARS,
    "further places in an update": update.MAX_OOB,
    "values of a template": service.MAX_CONTEXT_BYTES,
    "HTML that becomes of a template": sandbox.MAX_RENDERED_BYTES,
    "what a template does": filters.MAX_WORK / filters.STEP_WORK,
    "HTML of a call": service.MAX_CALL_BYTES,
    "addresses whose failed tries are counted": failures.MAX_ADDRESSES,
    "updates in a batch": MAX_BATCH,
    "text of a message, an announcement, a notification": MAX_MESSAGE_CHARS,
    "roles of a user": MAX_ROLES,
    "broadcasts that wait in a paced queue": paced.MAX_WAITING,
    "radius of a user's local event": MAX_RADIUS_OF_USERS_KM,
    "processes (`WSX_WORKERS`)": MAX_WORKERS,
}
NO_LIMITS = {
    "audit_retention_days",
    "message_retention_days",
    "port",
    "workers",
    "ping_interval_s",
    "idle_sweep_s",
    "presence_grace_s",
    "dashboard_interval_s",
    "drain_s",
}
"""Settings that are numbers and bound nothing that somebody else could want more of; of workers the most is a constant."""


@pytest.mark.parametrize("what", CONSTANTS)
def test_the_page_says_what_the_code_does(what: str) -> None:
    assert f"{CONSTANTS[what]:,.0f}" in re.findall(r"[\d,]*\d", ROWS[what])


def test_the_page_names_every_setting_that_is_a_limit_with_its_default() -> None:
    said = {name: cell for text, cell in NAMED.items() for name in re.findall(r"WSX_(\w+)", text)}
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.default, int | float) and not isinstance(field.default, bool) and field.name not in NO_LIMITS:
            assert f"{field.default:,.0f}" in said[field.name.upper()], field.name


async def test_a_message_may_be_as_long_as_the_limit_and_no_longer(server: Running) -> None:
    limit = server.settings.max_message_bytes
    async with server.socket() as page:
        await page.raw.send("x" * limit)
        assert "bad_message" == (await page.next())["code"]
        await page.raw.send("x" * (limit + 1))
        assert (1009, f"a message may have {limit} bytes") == await page.closed()


async def test_as_many_messages_as_the_burst_may_come_at_once_and_the_next_is_told_the_limit(settings: Settings) -> None:
    slow = msgspec.structs.replace(settings, socket_rate_per_s=0.001, socket_burst=3)
    async with run_server(slow) as server, server.socket("ada") as ada:
        for number in range(4):
            await ada.say({"id": str(number), "handler": "set-location", "data": {"latitude": 1, "longitude": 2}})
        told = {(message := await ada.next())["id"]: message for _ in range(4)}
    assert [None, None, None, "rate_limited"] == [told[str(number)].get("code") for number in range(4)]
    assert "0.001 messages a second (WSX_SOCKET_RATE_PER_S)" in told["3"]["detail"]
