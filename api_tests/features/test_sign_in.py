"""`authenticate`: an open connection says who it is, or says it again with a fresh token."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import jwt
import msgspec
import pytest

from api_tests.client import ApiClient, SocketClient
from api_tests.hub.recording import ended
from api_tests.server import SECRET, Running, run_server
from api_tests.waiting import eventually
from app import wsx
from app.hub import sweeps
from app.kernel.clock import utc_now
from app.settings import Settings

XSS = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[Running]:
    async with run_server(msgspec.structs.replace(settings, max_sockets_per_user=2)) as running:
        yield running


def signed(secret: str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    """A token as somebody else might make it."""
    whole = {"sub": "ada", "name": "Ada", "roles": [], "aud": "wsx", "exp": utc_now() + timedelta(days=1), **claims}
    return jwt.encode({name: value for name, value in whole.items() if value is not None}, secret, algorithm=algorithm)


async def authenticated(page: SocketClient, token: object) -> str:
    html: str = (await page.ask("authenticate", {"token": token}))["html"]
    return html


async def test_a_connection_that_says_who_it_is_hears_what_is_meant_for_that_user(server: Running, api: ApiClient) -> None:
    async with server.socket() as page:
        hers = {"kind": "users", "ids": ["ada"]}
        assert 0 == (await api.broadcast("too early", audience=hers))["matched"]
        assert "<div>Signed in as Ada</div>" == await authenticated(page, server.token("ada", name="Ada", roles=("premium",)))
        await api.broadcast("for ada", audience=hers)
        await api.broadcast("for premium", audience={"kind": "roles", "names": ["premium"]})
        assert ["for ada", "for premium"] == [(await page.next())["html"] for _ in range(2)]
        shown = (await api.get(f"/connections/{page.id}")).json()
    assert ("ada", "Ada", ["premium"]) == (shown["user_id"], shown["user_name"], shown["roles"])


async def test_the_answer_goes_where_the_page_wants_it(server: Running) -> None:
    async with server.socket() as page:
        answer = await page.ask("authenticate", {"token": server.token("ada")}, target="#who", swap="afterbegin")
    assert ("#who", "afterbegin") == (answer["target"], answer["swap"])


async def test_signing_in_is_an_arrival_and_renewing_is_none(server: Running) -> None:
    arrived: list[str] = []
    server.hub.on_arrival(lambda connection: arrived.append(connection.user.id if connection.user else "nobody"))
    async with server.socket() as page:
        for _ in range(3):
            await authenticated(page, server.token("ada"))
    assert ["nobody", "ada"] == arrived


async def test_who_becomes_an_admin_by_a_renewal_is_shown_what_admins_see(server: Running, api: ApiClient) -> None:
    await api.post("/announcements", {"message": "For admins", "priority": "low"})
    async with server.socket("ada") as page:
        token = server.token("ada", roles=("admin",))
        await page.say({"id": "req_1", "handler": "authenticate", "target": "#answer", "data": {"token": token}})
        assert {"#answer", "#announcements", "#dashboard-stats"} == {(await page.next())["target"] for _ in range(3)}


async def test_a_renewal_keeps_a_connection_past_the_end_of_its_first_token(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep looks at a clock that is two minutes ahead."""
    async with SocketClient(socket_url(server), token=server.token("ada", ttl_s=60)) as renewed:
        async with SocketClient(socket_url(server), token=server.token("ada", ttl_s=60)) as forgotten:
            answer = await authenticated(renewed, server.token("ada", ttl_s=3600))
            monkeypatch.setattr(sweeps, "utc_now", lambda: utc_now() + timedelta(minutes=2))
            list(sweeps.close_ended(server.hub))
            assert (4401, "token ended") == await forgotten.closed()
        assert "Signed in as ada" not in await authenticated(renewed, server.token("ada"))
        (connection,) = server.hub.registry
        assert renewed.id == connection.id
    assert answer.startswith('<div>Signed in until <time datetime="')
    until = datetime.fromisoformat(answer.split('"')[1])
    assert timedelta(minutes=55) < until - utc_now() <= timedelta(minutes=60)
    assert f">{until:%d %B %Y, %H:%M} UTC</time></div>" in answer


def socket_url(server: Running) -> str:
    return server.url.replace("http", "ws")


async def test_a_renewal_brings_the_name_and_the_roles_of_the_fresh_token(server: Running, api: ApiClient) -> None:
    async with server.socket("ada", name="Ada", roles=("admin", "premium")) as page:
        await authenticated(page, server.token("ada", name="Ada L.", roles=("premium", "beta")))
        for role, matched in {"admin": 0, "premium": 1, "beta": 1}.items():
            receipt = await api.broadcast(role, audience={"kind": "roles", "names": [role]})
            assert (role, matched) == (role, receipt["matched"])
        shown = (await api.get(f"/connections/{page.id}")).json()
        assert ("Ada L.", ["beta", "premium"]) == (shown["user_name"], shown["roles"])
        refused = await page.ask("mass-update")
        assert '<div class="error">Admin access required</div>' == refused["html"]


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("", "refused: it cannot be read"),
        ("no token at all", "refused: it cannot be read"),
        (signed(secret="another secret that is long enough for HS256"), "refused: it is signed with another key"),
        (signed(exp=utc_now() - timedelta(seconds=1)), "has ended"),
        (signed(aud="another site"), "refused: it is made for another site"),
        (signed(aud=None), "refused: it says no `"),
        (signed(exp=None), "refused: it says no `"),
        (signed(secret="", algorithm="none"), "refused: its algorithm is not"),
        (signed(sub=""), "must be a text of 1 to 128 characters"),
        (signed(roles="admin"), "must be a list"),
        ("x" * 60_000, "too long"),
    ],
    ids=["empty", "no token", "foreign", "expired", "other site", "no audience", "endless", "unsigned", "nobody", "roles", "64 KB"],
)
async def test_a_token_that_is_none_changes_nothing(server: Running, logged: Callable[[], str], token: str, sentence: str) -> None:
    async with server.socket() as stranger, server.socket("bob", name="Bob") as bob:
        for page in (stranger, bob):
            answer = await authenticated(page, token)
            assert answer.startswith('<div class="error">')
            assert sentence in answer.replace("&#x27;", "'")
            assert "unauthenticated" == page.errors[0]["code"]
            assert not token or token not in str(page.errors) + answer
        users = [connection.user and connection.user.name for connection in server.hub.registry]
        assert [None, "Bob"] == users
    assert not token or token not in logged()


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({}, "token is missing"),
        ({"token": None}, "token must be a text"),
        ({"token": 5}, "token must be a text"),
        ({"token": {"sub": "ada"}}, "token must be a text"),
        ({"token": ["x"]}, "token must be a text"),
    ],
)
async def test_data_without_a_token_is_refused(server: Running, data: object, wrong: str) -> None:
    async with server.socket() as page:
        answer = await page.ask("authenticate", data)
        assert f'<div class="error">This cannot be used: {wrong}.</div>' == answer["html"]
        assert "bad_data" == page.errors[0]["code"]


async def test_a_connection_does_not_become_somebody_elses(server: Running) -> None:
    async with server.socket("ada", name="Ada") as page:
        answer = await authenticated(page, server.token("bob"))
        assert '<div class="error">This connection belongs to another user; open a new one</div>' == answer
        assert "another_user" == page.errors[0]["code"]
        (connection,) = server.hub.registry
        assert "Ada" == connection.user.name


async def test_a_socket_that_has_ended_is_not_counted_though_nobody_was_told_yet(server: Running) -> None:
    async with server.socket("ada") as first, server.socket("ada"), server.socket() as third:
        outbox = wsx.connection(first.id).outbox
        outbox.sink, sink = ended(), outbox.sink
        assert "Signed in as ada" in await authenticated(third, server.token("ada"))
        outbox.sink = sink


async def test_one_user_has_no_more_connections_than_one_may_have(server: Running) -> None:
    async with server.socket("ada") as first, server.socket("ada"), server.socket() as third:
        answer = await authenticated(third, server.token("ada"))
        assert "this user has 2 connections already (WSX_MAX_SOCKETS_PER_USER)" in answer
        assert "too_many_sockets" == third.errors[0]["code"]
        assert "Signed in until" in await authenticated(first, server.token("ada"))
        assert "Signed in as bob" in await authenticated(third, server.token("bob"))


async def test_no_token_is_seen_in_an_answer_or_in_the_log(server: Running, logged: Callable[[], str]) -> None:
    tokens = [server.token("ada", ttl_s=ttl_s) for ttl_s in (60, 600)]
    async with server.socket() as page:
        seen = "".join([await authenticated(page, token) for token in tokens])
    await server.connected(0)
    seen += logged()
    for token in tokens:
        assert token not in seen
        assert token.split(".")[2] not in seen


async def test_a_name_is_escaped(server: Running) -> None:
    async with server.socket() as page:
        answer = await authenticated(page, server.token("ada", name=XSS))
    assert "<div>Signed in as &lt;img src=x onerror=alert(1)&gt;</div>" == answer


async def test_who_has_left_meanwhile_signs_in_nowhere(server: Running) -> None:
    async with server.socket() as page:
        await page.say({"id": "req_1", "handler": "authenticate", "target": "#a", "data": {"token": server.token("ada")}})
    await server.connected(0)
    await eventually(lambda: not server.hub.registry.user_count())
    assert 0 == len(server.hub.registry.of_user("ada"))
