"""The other commands: migrate, check, token, openapi, help; and what becomes of a database that cannot be used."""

import json
import os
import runpy
import signal
import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from api_tests.auth.signing import jwk, jwks, pem
from app import __version__
from app.auth.tokens import Tokens
from app.kernel.clock import utc_now
from app.main import describe
from app.web.asyncapi import describe_socket

SECRET = "a secret that is long enough for a token"
NO_SECRET = "tokens: HS256, its secret is not there yet; `wsx serve` makes it\n"


def test_the_command_says_its_version_and_how_it_is_used(operator, wsx, monkeypatch, capsys):
    wsx_program = (str(Path(sys.executable).parent / "wsx"),)
    assert (0, f"wsx {__version__}\n", "") == operator.runs("--version", program=wsx_program)
    monkeypatch.setattr(sys, "argv", ["wsx", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("app", run_name="__main__")
    assert (0, f"wsx {__version__}\n") == (ended.value.code, capsys.readouterr().out)
    shown = wsx("--help")
    assert 0 == shown.status
    for word in ("serve", "migrate", "check", "keys", "token", "openapi"):
        assert word in shown.out
    assert 2 == wsx().status
    assert 2 == wsx("fly").status


def test_migrate_makes_the_tables_once(operator, wsx):
    assert (0, "database: up to date\n", f"made a new database: {operator.database}\n") == wsx("migrate")
    with closing(sqlite3.connect(operator.database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    features = {"announcements", "notifications", "rooms", "room_members", "messages", "follows", "dashboard_figures"}
    office = {"api_keys", "idempotency_keys", "audit_events", "console_sessions", "console_seals"}
    assert {"users", "unsent", "token_revocations", "alembic_version"} | office | features == tables
    content = operator.database.read_bytes()
    assert (0, "database: up to date\n", "") == wsx("migrate")
    assert content == operator.database.read_bytes()


def test_check_reads_the_settings_and_opens_the_database(wsx):
    wsx("migrate")
    assert (0, f"settings: ok\ndatabase: ok\n{NO_SECRET}handlers and templates: ok\n", "") == wsx("check")


def test_check_says_what_a_start_would_do_to_the_database(operator, wsx):
    wsx("migrate")
    for statement, said in (
        ("UPDATE alembic_version SET version_num = '20261123_users'", "of an older version; `wsx serve` brings it up to date"),
        ("DELETE FROM alembic_version", "no tables yet; `wsx serve` makes them"),
    ):
        with closing(sqlite3.connect(operator.database)) as connection, connection:
            connection.execute(statement)
        assert (0, f"settings: ok\ndatabase: {said}\n{NO_SECRET}handlers and templates: ok\n", "") == wsx("check")


def test_what_is_private_is_for_the_eyes_of_the_server_alone(operator, wsx):
    before = os.umask(0o022)
    try:
        wsx("migrate")
    finally:
        os.umask(before)
    assert 0o600 == operator.database.stat().st_mode & 0o777
    operator.database.chmod(0o640)  # where the operator wants it otherwise, it stays so
    wsx("migrate")
    assert 0o640 == operator.database.stat().st_mode & 0o777


def test_check_says_what_cannot_be_used(operator, wsx):
    missing = wsx("check", database_url=f"sqlite+aiosqlite:///{operator.folder}/nowhere/wsx.db")
    not_there = f"settings: ok\ndatabase: not there yet; `wsx serve` makes it\n{NO_SECRET}handlers and templates: ok\n"
    assert (0, not_there, "") == missing
    assert [] == list(operator.folder.iterdir())  # to look changes nothing
    (operator.folder / "letter").write_text("Dear database, I am a letter and not one of you.")
    letter = f"sqlite+aiosqlite:///{operator.folder}/letter"
    assert (1, "settings: ok\n", f"wsx: the database {letter} cannot be used: file is not a database\n") == wsx(
        "check", database_url=letter
    )
    assert (1, "", f"wsx: the database {letter} cannot be used: file is not a database\n") == wsx("migrate", database_url=letter)


def test_a_folder_that_cannot_be_made_is_named(operator, wsx):
    (operator.folder / "file").touch()
    for command in ("migrate", "check"):
        refused = wsx(command, database_url=f"sqlite+aiosqlite:///{operator.folder}/file/wsx.db")
        assert (1, True) == (refused.status, f"{operator.folder}/file" in refused.err)
        assert 1 == refused.err.count("\n")


def test_check_says_where_a_server_could_not_make_its_files(operator, wsx, monkeypatch):
    nowhere = operator.folder / "deep" / "wsx.db"
    monkeypatch.setattr(os, "access", lambda path, _mode: path != operator.folder)  # root may write anywhere
    refused = wsx("check", database_url=f"sqlite+aiosqlite:///{nowhere}")
    assert f"wsx: {nowhere} cannot be made: this user may not write into {operator.folder}\n" == refused.err


def test_a_file_that_cannot_be_used_is_named_with_the_reason(operator, wsx, monkeypatch):
    url = f"sqlite+aiosqlite:///{operator.folder}"
    for command in ("check",), ("migrate",), ("keys", "list"):
        refused = wsx(*command, database_url=url)
        assert (1, f"wsx: {operator.folder} is a folder: WSX_DATABASE_URL names a file\n") == (refused.status, refused.err)
    wsx("migrate")
    for place in (operator.database, operator.database.parent):
        monkeypatch.setattr(os, "access", lambda path, _mode, place=place: path != place)  # root may write anywhere
        refused = wsx("keys", "list")
        said = f"wsx: the database {operator.database} cannot be used: this user may not write {place}\n"
        assert (1, said) == (refused.status, refused.err)


def test_a_database_of_a_newer_version_is_refused(operator, wsx):
    wsx("migrate")
    with closing(sqlite3.connect(operator.database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '20991231_future'")
    for command, out in {("migrate",): "", ("serve",): "", ("keys", "list"): "", ("check",): "settings: ok\n"}.items():
        refused = wsx(*command)
        assert (1, out, 1) == (refused.status, refused.out, refused.err.count("\n"))
        assert f"another version than wsx {__version__}" in refused.err
        assert "20991231_future" in refused.err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "this is no URL of a database"),
        ("", "this is no URL of a database"),
        ("postgresql+asyncpg://wsx:sesame@db:port/wsx", "this is no URL of a database"),
        ("moon+cheese:///x", "moon+cheese:// is not known"),
        ("sqlite:///x.db", "sqlite:// is not known; it looks like sqlite+aiosqlite:///var/wsx.db"),
        (
            "postgresql://wsx:sesame@db/wsx",
            "postgresql:// is not known; it looks like sqlite+aiosqlite:///var/wsx.db or postgresql+",
        ),
        ("postgres://wsx:sesame@db/wsx", "postgres:// is not known"),
        ("postgresql+psycopg://wsx:sesame@db/wsx", "postgresql+psycopg:// is not known"),
        ("postgresql+asyncpg://wsx:sesame@db", "the name of the database is missing"),
        (
            "postgresql+asyncpg://wsx:sesame@db/wsx?sslmode=require",
            "no such option: sslmode; there are host, port, ssl; ",
        ),
        ("sqlite+aiosqlite:///x.db?mode=ro", "no such option: mode; there are none"),
        ("sqlite+aiosqlite:///:memory:", "a database in memory would be another one for each connection: name a file"),
        ("sqlite+aiosqlite://", "a database in memory would be another one for each connection: name a file"),
    ],
)
def test_a_database_url_that_is_none_is_named(wsx, url, said):
    for command in (("check",), ("migrate",), ("token", "ada")):
        refused = wsx(*command, database_url=url)
        assert (2, "", 1) == (refused.status, refused.out, refused.err.count("\n"))
        assert refused.err.startswith("wsx: WSX_DATABASE_URL: ")
        assert said in refused.err
        assert "sesame" not in refused.err


def test_a_token_says_who_for_how_long(wsx):
    made = wsx("token", "ada", "--name", "Ada", "--role", "admin", "--role", "premium", "--ttl", "2h", token_secret=SECRET)
    assert (0, "") == (made.status, made.err)
    user = Tokens(SECRET, audience="wsx").read(made.out.strip())
    assert ("ada", "Ada", {"admin", "premium"}) == (user.id, user.name, user.roles)
    assert timedelta(minutes=119) < user.expires_at - utc_now() <= timedelta(hours=2)
    plain = Tokens(SECRET, audience="wsx").read(wsx("token", "bob", token_secret=SECRET).out.strip())
    assert ("bob", "bob", frozenset()) == (plain.id, plain.name, plain.roles)
    assert timedelta(minutes=59) < plain.expires_at - utc_now() <= timedelta(hours=1)


def test_tokens_are_made_with_the_secret_beside_the_database(operator, wsx):
    token = wsx("token", "ada").out.strip()
    kept = operator.database.parent / "token.secret"
    assert 0o600 == kept.stat().st_mode & 0o777
    assert "ada" == Tokens(kept.read_text(), audience="wsx").read(token).id
    for content, said in (("short", "fewer than 32 characters"), ("\udcff" * 40, "cannot be used instead")):
        kept.write_bytes(content.encode(errors="surrogateescape"))
        refused = wsx("token", "ada")
        assert (2, 1, True) == (refused.status, refused.err.count("\n"), str(kept) in refused.err)
        assert said in refused.err


@pytest.mark.parametrize("text", ["1", "h", "1w", "-1h", "1.5h", "1234567d", "soon"])
def test_a_duration_that_is_none_is_refused(wsx, text):
    refused = wsx("token", "ada", f"--ttl={text}")
    assert (2, "") == (refused.status, refused.out)
    assert "a number from 1 to 999999 and s, m, h or d is wanted" in refused.err


def test_the_descriptions_are_written_where_one_wants_them(operator, wsx):
    assert (0, "openapi/openapi.json: written\nopenapi/asyncapi.json: written\n", "") == wsx("openapi")
    assert 0 == wsx("openapi", "--folder", "a/b").status
    for name, document in (("openapi.json", describe()), ("asyncapi.json", describe_socket())):
        written = json.loads((operator.folder / "openapi" / name).read_text())
        assert json.loads(json.dumps(document)) == written
        assert written == json.loads((operator.folder / "a" / "b" / name).read_text())
    (operator.folder / "file").touch()
    assert (1, "", "wsx: file: File exists\n") == wsx("openapi", "--folder", "file")


def test_a_command_that_is_interrupted_says_so(operator, wsx):
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in its background deaf to it
    (operator.folder / "interrupting.py").write_text("import signal\n\nsignal.raise_signal(signal.SIGINT)\n")
    stopped = wsx("check", handlers="interrupting")
    signal.signal(signal.SIGINT, ignored)
    assert (130, "wsx: stopped\n") == (stopped.status, stopped.err)


def test_check_loads_handlers_and_looks_for_templates(operator):
    (operator.folder / "shop.py").write_text("from app import wsx\n\n\n@wsx.on('like')\nasync def like(request, connection): ...\n")
    assert 0 == operator.runs("check", handlers="shop").status
    assert "the module nowhere cannot be imported" in operator.runs("check", handlers="nowhere").err
    assert "none is no folder\n" in operator.runs("check", templates=f"{operator.folder}/none").err


@pytest.mark.parametrize("user", ["", "x" * 129, "a\nb", "\udcff"])
def test_a_token_that_nobody_would_take_is_not_made(wsx, user):
    assert (2, "") == wsx("token", user)[:2]


@pytest.mark.parametrize(("roles", "said"), [([""], "argument --role: the name of a role is wanted"), (["x"] * 51, "51 are given")])
def test_roles_that_nobody_would_take_are_refused(wsx, roles, said):
    refused = wsx("token", "ada", *(f"--role={role}" for role in roles))
    assert (2, "") == refused[:2]
    assert said in refused.err


def test_a_token_of_a_new_secret_says_so(operator, wsx):
    assert "made a new secret for tokens" in wsx("token", "ada").err
    assert "" == wsx("token", "ada").err


def test_check_names_the_keys_of_tokens(operator, wsx):
    keys = operator.folder / "keys.json"
    keys.write_text(jwks(jwk("rsa", kid="2026-11"), jwk("p256", kid="2026-12"), jwk("ed25519")))
    told = wsx("check", token_jwks_file=str(keys)).out
    assert "tokens: RS256 (kid '2026-11'), ES256 (kid '2026-12'), EdDSA\n" in told
    assert (
        "tokens: HS256, HS256, RS256\n"
        in wsx("check", token_secret=SECRET, token_other_secret=SECRET[::-1], token_public_key=pem("rsa")).out
    )
    refused = wsx("check", token_public_key=pem("rsa1024"))
    assert (2, "wsx: WSX_TOKEN_PUBLIC_KEY: an RSA key of 1024 bits is too short; at least 2048 are needed\n") == refused[::2]
    assert not (operator.database.parent / "token.secret").exists()


def test_where_only_a_public_key_is_set_no_token_is_made(wsx):
    refused = wsx("token", "ada", token_public_key=pem("p256"))
    assert (1, "", 1) == (refused.status, refused.out, refused.err.count("\n"))
    assert "the site makes the tokens, with its private key; or set WSX_TOKEN_SECRET, too" in refused.err
