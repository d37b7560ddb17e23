"""The dashboard: figures of the back office beside live ones, for admins only, and no work while no admin is there."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import msgspec
import pytest

from api_tests.cases import on_one_server
from api_tests.client import ApiClient, SocketClient
from api_tests.db.beside import is_done
from api_tests.db.engine_events import listening
from api_tests.hub.recording import tab
from api_tests.server import ADMIN_KEY, Running, run_server
from api_tests.waiting import eventually
from app.db.session import Database
from app.features.messages.model import MessageRow
from app.features.users.model import UserRow
from app.kernel.clock import utc_now
from app.kernel.ids import first_id_of
from app.settings import Settings

FIGURES = {"revenue": 1234.5, "orders": 17, "new_users": 0.25}
LABELS = ["Active Users", "Revenue", "Orders", "New Users", "Connections", "Messages in the last hour"]
ADMIN = {"roles": ("admin",)}
TICK_S = 0.0125  # eighty times a second


@pytest.fixture
async def quick(settings: Settings) -> AsyncIterator[Running]:
    async with run_server(msgspec.structs.replace(settings, dashboard_interval_s=TICK_S)) as running:
        yield running


@contextmanager
def queries() -> Iterator[list[str]]:
    """The queries of dashboards, as they are executed."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT") and "dashboard_figures" in statement:
            seen.append(statement)

    with listening("before_cursor_execute", note):
        yield seen


async def stats(page: SocketClient) -> dict[str, str]:
    """The next dashboard, as its reader sees it: values by label, in order."""
    html = (await page.next_of("#dashboard-stats"))["html"]
    return dict(re.findall(r'<span class="label">(.*?)</span>\s*<span class="value">(.*?)</span>', html))


async def stats_with(page: SocketClient, label: str, value: str) -> dict[str, str]:
    """The first dashboard on which this is to be read."""
    while (seen := await stats(page)).get(label) != value:
        pass
    return seen


async def test_the_fragment_is_the_guides(server: Running, api: ApiClient) -> None:
    await api.put("/dashboard/figures", {"revenue": 1234.5, "orders": 17})
    async with server.socket("root", **ADMIN) as admin:
        heard = await admin.next()
    lines = [line.strip() for line in heard["html"].splitlines()]
    assert ("#dashboard-stats", "innerHTML") == (heard["target"], heard["swap"])
    assert [
        '<div class="dashboard-stats">',
        '<div class="stat">',
        '<span class="label">Active Users</span>',
        '<span class="value">1</span>',
        "</div>",
        '<div class="stat">',
        '<span class="label">Revenue</span>',
        '<span class="value">$1234.50</span>',
        "</div>",
    ] == lines[:9]
    assert ["</div>", "</div>"] == lines[-2:]


async def test_admins_see_the_numbers_soon_after_they_connect_and_others_never(server: Running, api: ApiClient) -> None:
    await api.put("/dashboard/figures", FIGURES)
    async with (
        server.socket("ada", roles=("premium",)) as ada,
        server.socket("ada") as tab,
        server.socket() as nobody,
        server.socket("root", **ADMIN) as admin,
    ):
        seen = await stats(admin)
        assert list(zip(LABELS, ["2", "$1234.50", "17", "0.25", "4", "0"], strict=True)) == list(seen.items())
        await api.broadcast("for all")
        for page in (ada, tab, nobody):
            await page.hears_nothing_but("for all")


async def test_who_signs_in_as_an_admin_sees_the_numbers(server: Running) -> None:
    async with server.socket() as page:
        await page.ask("authenticate", {"token": server.token("root", **ADMIN)})
        assert "1" == (await stats(page))["Active Users"]


async def test_figures_that_change_are_seen_at_once_in_the_new_order(server: Running, api: ApiClient) -> None:
    """The interval of this server is half a minute."""
    async with server.socket("root", **ADMIN) as admin:
        await stats(admin)
        answer = await api.put("/dashboard/figures", FIGURES)
        assert (200, {"figures": FIGURES}) == (answer.status_code, answer.json())
        assert "17" == (await stats_with(admin, "Revenue", "$1234.50"))["Orders"]
        await api.put("/dashboard/figures", {"refunds": 2, "revenue": -3})
        seen = await stats_with(admin, "Refunds", "2")
    assert [("Refunds", "2"), ("Revenue", "-$3.00"), ("Connections", "1")] == list(seen.items())[1:4]


async def test_the_dashboard_ticks_while_an_admin_is_there(quick: Running) -> None:
    async with quick.socket("root", **ADMIN) as admin:
        await stats_with(admin, "Connections", "1")
        async with quick.socket():
            await stats_with(admin, "Connections", "2")
        await stats_with(admin, "Connections", "1")


async def test_nothing_is_done_while_no_admin_is_connected(quick: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """No query and no timer: neither before the first admin comes, nor after the last one has left."""
    delays: list[float | None] = []
    timeout = asyncio.timeout
    monkeypatch.setattr(asyncio, "timeout", lambda delay: delays.append(delay) or timeout(delay))

    async def pass_ticks() -> list[str]:
        """The queries of a while in which twenty ticks would have been."""
        with queries() as seen:
            until = monotonic() + 20 * TICK_S
            await eventually(lambda: monotonic() > until)
        return seen

    async with quick.socket("ada"):
        assert [] == await pass_ticks()
        assert TICK_S not in delays
        async with quick.socket("root", **ADMIN) as first, quick.socket("boss", **ADMIN) as second:
            for admin in (first, second):
                await stats(admin)
        assert TICK_S in delays
        await quick.connected(1)
        for _ in range(20):  # until nothing is under way any more of what was when the last one left
            if not await pass_ticks():
                break
        delays.clear()
        async with quick.socket("bob"), ApiClient(quick.url, ADMIN_KEY) as api:
            assert 200 == (await api.put("/dashboard/figures", FIGURES)).status_code
            assert [] == await pass_ticks()
        assert TICK_S not in delays


async def test_admins_who_arrive_together_are_one_update(server: Running) -> None:
    with queries() as seen:
        pages = [tab(server.hub, f"admin-{number}", "admin") for number in range(20)]  # no socket is as quick on every machine
        await eventually(lambda: all(page.heard for page in pages))
    assert (1, {True}) == (len(seen), {'<span class="value">20</span>' in html for page in pages for html in page.heard})


async def test_figures_outlive_a_restart(settings: Settings) -> None:
    async with run_server(settings) as running, ApiClient(running.url, ADMIN_KEY) as api:
        await api.put("/dashboard/figures", FIGURES)
    async with run_server(settings) as running, ApiClient(running.url, ADMIN_KEY) as api:
        assert list(FIGURES.items()) == list((await api.get("/dashboard")).json()["figures"].items())


async def test_the_back_office_reads_the_same_numbers(server: Running, api: ApiClient) -> None:
    assert {} == (await api.get("/dashboard")).json()["figures"]
    await api.put("/dashboard/figures", FIGURES)
    async with server.socket("ada"), server.socket("ada"), server.socket():
        read = (await api.get("/dashboard")).json()
    assert abs(datetime.fromisoformat(read.pop("at")) - utc_now()) < timedelta(minutes=1)
    assert {"active_users": 1, "connections": 3, "messages_last_hour": 0, "figures": FIGURES, "incomplete": []} == read


async def test_the_messages_of_the_last_hour_are_counted(server: Running, api: ApiClient) -> None:
    database = Database(server.settings.database_url)
    now = utc_now()
    async with database.transaction() as session:
        session.add(UserRow(id="ada", name="Ada", roles=[], created_at=now))
        await session.flush()
        for age in (timedelta(minutes=61), timedelta(minutes=59), timedelta(minutes=1)):
            written = {"id": first_id_of(now - age), "created_at": now - age}
            session.add(MessageRow(**written, recipient_id="ada", author="Bob", content="x"))
    await database.close()
    assert 2 == (await api.get("/dashboard")).json()["messages_last_hour"]
    async with server.socket("root", **ADMIN) as admin:
        assert "2" == (await stats(admin))["Messages in the last hour"]


async def test_a_dashboard_whose_database_is_away_ticks_again_when_it_is_back(quick: Running) -> None:
    async with quick.socket("root", **ADMIN) as admin:
        await stats(admin)
        await eventually(lambda: is_done(quick.settings, "ALTER TABLE dashboard_figures RENAME TO gone"))
        with queries() as seen:
            await eventually(lambda: len(seen) > 2)
        await eventually(lambda: is_done(quick.settings, "ALTER TABLE gone RENAME TO dashboard_figures"))
        async with quick.socket():
            await stats_with(admin, "Connections", "2")


async def test_a_broken_fragment_of_the_site_is_logged_and_ends_nothing(
    settings: Settings, tmp_path: Path, logged: Callable[[], str]
) -> None:
    broken = tmp_path / "dashboard" / "stats.html"
    broken.parent.mkdir()
    broken.write_text("{{ nothing }}")
    async with (
        run_server(msgspec.structs.replace(settings, templates=str(tmp_path))) as running,
        running.socket("root", **ADMIN) as admin,
    ):
        await eventually(lambda: "dashboard not shown" in logged())
        assert "<div>Mass update completed</div>" == (await admin.ask("mass-update"))["html"]


async def test_figures_that_are_set_at_once_do_not_mix(api: ApiClient) -> None:
    given = [{f"figure_{number}": number, "shared": number} for number in range(8)]
    answers = await asyncio.gather(*(api.put("/dashboard/figures", figures) for figures in given))
    assert {200} == {answer.status_code for answer in answers}
    assert (await api.get("/dashboard")).json()["figures"] in given


@pytest.mark.parametrize(
    ("value", "answered", "shown"),
    [
        ("17", 17, "17"),
        ("17.0", 17, "17"),
        ("-0.0", 0, "0"),
        ("0.1", 0.1, "0.1"),
        ("1e3", 1000, "1000"),
        ("9007199254740993.0", 9007199254740992, "9007199254740992"),
        ("1e300", 1e300, "1e+300"),
    ],
)
async def test_a_number_is_shown_as_people_write_it(
    server: Running, api: ApiClient, value: str, answered: float, shown: str
) -> None:
    answer = await api.http.put("/api/v1/dashboard/figures", content=f'{{"orders": {value}}}')
    assert f'"orders":{json.dumps(answered)}' in answer.text.replace("1e300", "1e+300")
    async with server.socket("root", **ADMIN) as admin:
        assert shown == (await stats(admin))["Orders"]


@on_one_server(
    ("body", "pointers"),
    [
        ("{}", [""]),
        (json.dumps({f"f{number}": number for number in range(51)}), [""]),
        ("[]", [""]),
        ('"revenue"', [""]),
        ('{"revenue": "12"}', ["/revenue"]),
        ('{"revenue": true, "orders": 1, "refunds": null}', ["/revenue", "/refunds"]),
        ('{"revenue": {"eur": 12}}', ["/revenue"]),
        ('{"revenue": 1e999}', ["/revenue"]),
        (f'{{"revenue": {"9" * 400}}}', ["/revenue"]),
        ('{"Revenue": 1}', ["/Revenue"]),
        ('{"": 1}', ["/"]),
        ('{"a/b~c": 1}', ["/a~1b~0c"]),
        ('{"9": 1}', ["/9"]),
        ('{"revenue\\n": 1}', ["/revenue\n"]),
        (json.dumps({"x" * 65: 1}), ["/" + "x" * 65]),
        ('{"<b>": 1}', ["/<b>"]),
    ],
)
async def test_wrong_figures_are_each_named_and_nothing_is_stored(api: ApiClient, body: str, pointers: list[str]) -> None:
    await api.put("/dashboard/figures", FIGURES)
    answer = await api.http.put("/api/v1/dashboard/figures", content=body)
    assert (422, pointers) == (answer.status_code, [error["pointer"] for error in answer.json()["errors"]])
    assert FIGURES == (await api.get("/dashboard")).json()["figures"]


@pytest.mark.parametrize("body", ["", "{", '{"revenue": NaN}', '{"revenue": 1'])
async def test_figures_that_are_no_json_are_refused(api: ApiClient, body: str) -> None:
    assert 400 == (await api.http.put("/api/v1/dashboard/figures", content=body)).status_code


async def test_fifty_figures_of_the_longest_name_are_taken(api: ApiClient) -> None:
    figures = {f"{'x' * 62}{number:02}": number for number in range(50)}
    answer = await api.put("/dashboard/figures", figures)
    assert (200, list(figures)) == (answer.status_code, list(answer.json()["figures"]))


@pytest.mark.parametrize(
    ("scope", "reads", "writes"), [("dashboard:read", 200, 403), ("dashboard:write", 403, 200), ("dashboard:*", 200, 200)]
)
async def test_reading_and_writing_are_scopes_of_their_own(api: ApiClient, scope: str, reads: int, writes: int) -> None:
    async with ApiClient(api.url, await api.key_with(scope)) as other:
        assert reads == (await other.get("/dashboard")).status_code
        assert writes == (await other.put("/dashboard/figures", FIGURES)).status_code
