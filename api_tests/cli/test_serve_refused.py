"""Starts that cannot be: one line that names what to change, an exit status, and nothing half done."""

import socket
from contextlib import closing

import pytest

from api_tests.cli.command import KEY


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
