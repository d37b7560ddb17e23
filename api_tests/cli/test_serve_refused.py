"""Starts that cannot be: one line that names what to change, an exit status, and nothing half done."""

import asyncio
import os
import socket
from contextlib import closing
from http import HTTPStatus

import httpx
import pytest
from redis.asyncio import Redis

from api_tests.cli.command import KEY
from app.cli.console import MAX_WORKERS_A_CORE
from app.cluster import client


def test_a_taken_port_is_named_and_the_first_key_is_not_lost(operator, wsx):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        taken = wsx("serve", "--port", str(port))
    assert (1, "") == (taken.status, taken.out)
    assert f"wsx: cannot listen on 127.0.0.1:{port}: Address already in use; WSX_PORT and WSX_HOST say where\n" == taken.err
    assert "" == wsx("keys", "list").out


def test_a_host_that_is_not_known_is_named(wsx):
    refused = wsx("serve", "--host", "nowhere.invalid")
    assert (1, "wsx: cannot listen on nowhere.invalid:0") == (refused.status, refused.err[:39])


@pytest.mark.parametrize(
    ("redis_url", "wanted"),
    [("", "several processes hear of each other by Redis"), ("redis://127.0.0.1:1/0", "a SQLite file is written by one process")],
    ids=["without Redis", "with SQLite"],
)
def test_several_processes_need_what_they_can_share(operator, wsx, redis_url: str, wanted: str):
    refused = wsx("serve", "--workers", "2", redis_url=redis_url, token_secret="-" * 32)
    assert (2, 1) == (refused.status, refused.err.count("\n"))
    assert "WSX_WORKERS is 2" in refused.err
    assert wanted in refused.err
    assert not operator.database.exists()


def test_more_workers_than_the_machine_could_ever_use_are_refused(wsx, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    most = 2 * MAX_WORKERS_A_CORE
    shared = {"redis_url": "redis://127.0.0.1:1/0", "token_secret": "-" * 32, "database_url": "postgresql+asyncpg://wsx@db/wsx"}
    refused = wsx("serve", "--workers", str(most + 1), **shared)
    assert (2, 1) == (refused.status, refused.err.count("\n"))
    assert refused.err.startswith(f"wsx: WSX_WORKERS is {most + 1}, and this machine has 2 cores")
    assert refused.err.endswith(f" cores: one for each is enough, {most} the most\n")


async def _refused_by_redis(wsx, url: str) -> str:
    """What is said of it, by a start and by `check`."""
    for command in ("serve", "check"):
        refused = await asyncio.to_thread(wsx, command, redis_url=url, token_secret="-" * 32)
        assert (1, 1) == (refused.status, refused.err.count("\n"))
        assert "sesame" not in refused.err
    return refused.err.removeprefix("wsx: WSX_REDIS_URL: ").rstrip()


async def test_a_redis_that_refuses_the_login_or_is_too_old_is_named(wsx, redis, monkeypatch):
    place = f"127.0.0.1:{redis.port}"
    assert "DB index is out of range" in await _refused_by_redis(wsx, f"redis://{place}/9999")
    await redis.client.config_set("requirepass", "sesame and more")
    assert f"redis://{place}/0 cannot be used: Authentication required." == await _refused_by_redis(wsx, redis.url)
    wrong = await _refused_by_redis(wsx, f"redis://ada:sesame@{place}/0")
    assert f"redis://ada:***@{place}/0 cannot be used: invalid username-password pair or user is disabled." == wrong
    login = f"redis://:sesame%20and%20more@{place}/0"
    await redis.client.aclose()
    redis.client = Redis.from_url(login)
    await redis.client.acl_setuser("guest", enabled=True, passwords=["+sesame"], commands=["+@all", "-eval"], keys=["*"])
    assert "no permissions to run the 'eval' command" in await _refused_by_redis(wsx, f"redis://guest:sesame@{place}/0")
    monkeypatch.setattr(client, "MIN_VERSION", (99, 0))
    old = await _refused_by_redis(wsx, login)
    assert old.startswith(f"redis://:***@{place}/0 cannot be used: Redis ")
    assert old.endswith(" is too old; 6.2 or newer is needed")


async def test_a_redis_that_is_away_is_waited_for_and_named(operator, redis):
    await redis.stop()
    async with operator.serves(redis_url=redis.url, token_secret="-" * 32, log_format="json") as server:
        (told,) = [line for line in server.err.splitlines() if '"event":"started without Redis"' in line]
        assert f"WSX_REDIS_URL: {redis.url} cannot be used: " in told
        await redis.start()
        async with httpx.AsyncClient(base_url=server.url) as balancer:
            while (await balancer.get("/health/ready")).status_code != HTTPStatus.OK:
                pass


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("no_such_module", None, "no_such_module cannot be imported: ModuleNotFoundError: No module named 'no_such_module'\n"),
        ("wrong_needs", "import no_such_thing\n", "No module named 'no_such_thing' ("),
        ("wrong_value", "x = 1\n\nx / 0\n", "ZeroDivisionError: division by zero ("),
        ("wrong_words", "def def\n", "SyntaxError: invalid syntax (wrong_words.py, line 1)"),
    ],
)
def test_handlers_that_cannot_be_imported_are_named(operator, wsx, name, text, said):
    if text is not None:
        (operator.folder / f"{name}.py").write_text(text)
    refused = wsx("serve", handlers=name)
    assert (2, 1) == (refused.status, refused.err.count("\n"))
    assert refused.err.startswith(f"wsx: WSX_HANDLERS: the module {name} cannot be imported: ")
    assert said in refused.err
    if name == "wrong_value":
        assert "wrong_value.py:3)\n" in refused.err
    assert [] == KEY.findall(refused.out)


def test_two_handlers_of_one_name_are_refused(operator):
    for name in ("mine", "yours"):
        (operator.folder / f"{name}.py").write_text("from app import wsx\n@wsx.on('x')\nasync def f(request, connection): ...\n")
    refused = operator.runs("serve", handlers="mine, yours")
    assert (2, True) == (refused.status, "registered twice: by mine and by yours" in refused.err)


@pytest.mark.parametrize("origin", ["https://shop.example/", "shop.example", "null", "https://*.shop.example:x"])
def test_a_listed_origin_that_is_none_is_named(wsx, origin):
    refused = wsx("serve", allowed_origins=f"https://good.example,{origin}")
    assert (2, 1) == (refused.status, refused.err.count("\n"))
    assert f"WSX_ALLOWED_ORIGINS: {origin!r} is no origin" in refused.err


def test_a_token_secret_that_cannot_be_read_is_named(operator, wsx):
    (operator.database.parent / "token.secret").mkdir(parents=True)
    refused = wsx("serve")
    assert (2, 1) == (refused.status, refused.err.count("\n"))
    assert f"{operator.database.parent}/token.secret" in refused.err


@pytest.mark.parametrize("command", ["serve", "check"])
def test_nodes_of_a_cluster_that_share_no_token_secret_are_refused(operator, wsx, command):
    wsx("migrate")
    refused = wsx(command, redis_url="redis://127.0.0.1:1/0")
    assert (2, 1) == (refused.status, refused.err.count("\n"))
    assert refused.err.startswith("wsx: WSX_TOKEN_SECRET: needed with WSX_REDIS_URL")
    assert [] == list(operator.folder.rglob("*.secret"))
