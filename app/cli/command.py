"""The `wsx` command. An error of the operator's is one line that names what to change; exit 2 for the command line, else 1."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from app import __version__
from app.auth.scopes import SCOPES
from app.cli import audit, backup, issue, run, serving
from app.cli.console import STOPPED, Failure, fail
from app.kernel.errors import AppError
from app.settings import SettingsError

SHOWN_CHARS = 60
"""Of a word that is none of those that there are."""
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit."""
    try:
        options = _parser().parse_args(arguments)
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough, as `head` has; at its end Python would write what is left once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (SettingsError, Failure) as error:
        fail(str(error), getattr(error, "status", 2))
    except AppError as error:
        fail(error.detail, 1)
    except KeyboardInterrupt:
        fail(STOPPED, 130)


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None or not int(match[1]):
        message = f"{text!r}: a number from 1 to 999999 and s, m, h or d is wanted, such as 90d"
        raise argparse.ArgumentTypeError(message)
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _text(text: str) -> str:
    if not text.isprintable():
        raise argparse.ArgumentTypeError("a text of printable characters in UTF-8 is wanted")
    return text


def _user_id(text: str) -> str:
    if not 0 < len(_text(text)) <= issue.MAX_ID_CHARS:
        message = f"a user id of 1 to {issue.MAX_ID_CHARS} characters is wanted"
        raise argparse.ArgumentTypeError(message)
    return text


def _role(text: str) -> str:
    if not _text(text):
        raise argparse.ArgumentTypeError("the name of a role is wanted")
    return text


def _scope(text: str) -> str:
    if text not in SCOPES:
        message = f"no such scope: {text[:SHOWN_CHARS]!a}; there are {', '.join(sorted(SCOPES))}"
        raise argparse.ArgumentTypeError(message)
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= audit.MAX_SHOWN:
        message = f"{text!r}: a number from 1 to {audit.MAX_SHOWN} is wanted"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _add_audit(actions: Any) -> None:
    """`Any`: argparse has no public name for it."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--key", type=_text, metavar="ID", help="of this API key; WSX_ADMIN_KEY: of that one")
    shared.add_argument("--user", type=_text, metavar="ID", help="of this admin, over the socket")
    shared.add_argument("--operation", type=_text, metavar="NAME", help="as create_broadcast, mass-update or keys create")
    known = shared.add_mutually_exclusive_group()
    known.add_argument("--known", action="store_true", default=None, help="not of nobody, who had no valid key")
    known.add_argument("--nobody", dest="known", action="store_false", default=None, help="only of nobody")
    listed = actions.add_parser("list", parents=[shared], help="the newest events, oldest of them first")
    listed.add_argument("--since", type=_duration, metavar="1h", help="not older than this")
    listed.add_argument("--limit", type=_count, default=audit.SHOWN, metavar="N")
    listed.set_defaults(run=audit.list_events)
    tail = actions.add_parser("tail", parents=[shared], help="events as they are written, until Ctrl-C")
    tail.set_defaults(run=audit.tail)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wsx", description="HTML to every browser that should see it.")
    parser.add_argument("--version", action="version", version=f"wsx {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="bring the database up to date and serve")
    serve.add_argument("--host", help="address to listen on (WSX_HOST)")
    serve.add_argument("--port", type=int, help="TCP port; 0: any free one (WSX_PORT)")
    serve.add_argument("--workers", type=int, help="processes (WSX_WORKERS)")
    serve.add_argument("--demo", action="store_true", help="also serve the demo page at /")
    serve.set_defaults(run=serving.serve)

    commands.add_parser("migrate", help="bring the database up to date").set_defaults(run=run.migrate)
    check = commands.add_parser("check", help="read every setting, open the database and Redis, load the handlers; change nothing")
    check.set_defaults(run=run.check)

    copy = commands.add_parser("backup", help="copy the SQLite file, while the server runs")
    copy.add_argument("file", metavar="FILE", help="where to; it must not be there yet")
    copy.set_defaults(run=backup.backup)

    keys = commands.add_parser("keys", help="API keys of back-office tools").add_subparsers(required=True, metavar="ACTION")
    create = keys.add_parser("create", help="make a key; its secret is shown once")
    create.add_argument("name", type=_text, metavar="NAME")
    create.add_argument("--scope", type=_scope, action="append", required=True, metavar="S", help="may be given several times")
    create.add_argument(
        "--target", action="append", type=_text, metavar="#T", help="the only place it may write to: #chat, or #chat*"
    )
    create.add_argument("--expires", type=_duration, metavar="90d")
    create.set_defaults(run=issue.create)
    keys.add_parser("list", help="all keys").set_defaults(run=issue.list_all)
    revoke = keys.add_parser("revoke", help="revoke a key for ever")
    revoke.add_argument("id", type=_text, metavar="ID")
    revoke.set_defaults(run=issue.revoke)

    audit_log = commands.add_parser("audit", help="who did what, and who was refused")
    _add_audit(audit_log.add_subparsers(required=True, metavar="ACTION"))

    token = commands.add_parser("token", help="print a connection token for a browser")
    token.add_argument("user", type=_user_id, metavar="USER")
    token.add_argument("--name", type=_text, help="what other people see")
    token.add_argument("--role", type=_role, action="append", default=[], help="may be given several times")
    token.add_argument("--ttl", type=_duration, default=timedelta(hours=1), metavar="1h")
    token.set_defaults(run=issue.token)

    openapi = commands.add_parser("openapi", help="rewrite openapi.json and asyncapi.json from the code")
    openapi.add_argument("--folder", default="openapi")
    openapi.set_defaults(run=run.openapi)
    return parser
