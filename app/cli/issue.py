"""Commands that issue keys and tokens."""

import argparse

import msgspec

from app.auth.from_settings import make_tokens, secret_file
from app.auth.keys import Caller
from app.auth.scopes import ADMIN
from app.auth.tokens import MAX_ID_CHARS, MAX_ROLES
from app.cli.console import Failure, migrated, read_settings, remark, say, with_database
from app.db.session import Database
from app.features.audit import by_command, record
from app.features.keys import NewKeyRequest, all_keys, create_key, revoke_key
from app.kernel.clock import utc_now
from app.kernel.wording import in_words

__all__ = ["MAX_ID_CHARS", "create", "list_all", "revoke", "token"]

_ARGUMENTS = {"name": "NAME", "targets": "--target", "scopes": "--scope", "expires_at": "--expires"}
"""How the command line spells what a request has."""
OPERATOR = Caller("", "operator", frozenset({ADMIN}))


def create(options: argparse.Namespace) -> None:
    settings = migrated()
    expires_at = None if options.expires is None else utc_now() + options.expires
    try:
        given = {"name": options.name, "scopes": options.scope, "expires_at": expires_at, "targets": options.target}
        wanted = msgspec.convert(given, NewKeyRequest)
    except msgspec.ValidationError as error:
        wrong, _, place = str(error).rstrip("`").partition(" - at `$.")
        message = f"{_ARGUMENTS[place.partition('[')[0]]}: {in_words(wrong)}"
        raise Failure(message, 2) from None

    async def make(database: Database) -> str:
        async with database.transaction() as session:
            row, key = create_key(session, wanted, OPERATOR)
            made = {"id": key.id, "name": row.name, "scopes": " ".join(row.scopes)}
            await record(session, by_command("keys create", made))
        return key.text

    say(with_database(settings, make))
    remark("shown only this once; keep it")


def list_all(_options: argparse.Namespace) -> None:
    async def show(database: Database) -> None:
        async with database.reading() as session:
            keys = await all_keys(session)
            if not keys:
                remark("there are no keys yet; `wsx keys create` makes one")
            for row in keys:
                state = "revoked" if row.revoked_at else "expired" if row.expires_at and row.expires_at <= utc_now() else "active"
                used = row.last_used_at.isoformat(timespec="seconds") if row.last_used_at else "never used"
                may = " ".join([*row.scopes, *(["at", *row.targets] if row.targets is not None else ())])
                say(f"{row.key_id}  {state:8}  {used:25}  {may:40}  {row.name}")

    with_database(migrated(), show)


def revoke(options: argparse.Namespace) -> None:
    async def carry_out(database: Database) -> None:
        async with database.transaction() as session:
            await revoke_key(session, options.id, OPERATOR)
            await record(session, by_command("keys revoke", {"key_id": options.id}))

    with_database(migrated(), carry_out)
    say(f"{options.id}: revoked")


def token(options: argparse.Namespace) -> None:
    if len(options.role) > MAX_ROLES:
        message = f"--role: {len(options.role)} are given, and a token has at most {MAX_ROLES}"
        raise Failure(message, 2)
    settings = read_settings()
    kept = secret_file(settings)
    is_new = kept is not None and not kept.exists()
    say(make_tokens(settings).issue(options.user, name=options.name or "", roles=options.role, ttl=options.ttl))
    if kept is not None and is_new:
        remark(f"made a new secret for tokens: {kept.absolute()}")
