"""Broadcasts that are for a while only, by REST."""

import pytest

from api_tests.client import ApiClient
from api_tests.server import Running
from api_tests.sockets.returning import Visitor
from app.hub import publication
from app.kernel.clock import monotonic


async def test_a_broadcast_may_be_for_a_while_only(server: Running, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = Visitor(server)
    async with visitor.visit():
        pass
    for html, more in (("short", {"ttl_s": 5}), ("long", {"ttl_s": 60}), ("for ever", {})):
        await api.broadcast(html, "#a", swap="beforeend", **more)
    monkeypatch.setattr(publication, "monotonic", lambda: monotonic() + 10)
    async with visitor.visit() as page:
        assert page.hello["resumed"]
        await page.hear("for ever")
    assert ["long", "for ever"] == visitor.heard


@pytest.mark.parametrize("ttl_s", [0, 86_401, 1.5])
async def test_a_time_that_is_none_is_refused(server: Running, api: ApiClient, ttl_s: float) -> None:
    body = {"audience": {"kind": "everyone"}, "target": "#a", "html": "x", "ttl_s": ttl_s}
    answer = await api.post("/broadcasts", body)
    assert (422, "/ttl_s") == (answer.status_code, answer.json()["errors"][0]["pointer"])
