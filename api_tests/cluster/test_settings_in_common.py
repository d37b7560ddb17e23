"""Nodes tell each other a fingerprint of what must be the same on all: who has another one is told in the log, once."""

from collections.abc import Callable

import msgspec
import pytest

from api_tests.cluster.nodes import Cluster
from api_tests.redis_server import RedisServer
from api_tests.server import SECRET, run_server
from api_tests.waiting import MS, eventually
from app.auth import from_settings
from app.cluster import clerk
from app.settings import Settings

TOLD = "another node has other settings"


async def test_a_node_with_another_fingerprint_is_told_of_once_on_both_and_one_that_says_none_is_not(
    cluster: Cluster, logged: Callable[[], str]
):
    async with (
        cluster.node("a") as a,
        cluster.node("b"),
        cluster.node("unlike", fingerprint="another"),
        cluster.node("mute", fingerprint=""),
    ):
        said: list[str] = []

        def lines() -> list[str]:
            said.extend(line for line in logged().splitlines() if TOLD in line)
            return said

        await eventually(lambda: len(lines()) == 4)
        beaten_at = a.clerk._beaten_at
        await eventually(lambda: a.clerk._beaten_at > beaten_at + 100 * MS)
        peers = sorted(line.split('"peer":"')[1].split('"')[0] for line in lines())
        assert ["a", "b", "unlike", "unlike"] == peers
        assert all("WSX_TOKEN_SECRET" in line and '"level":"error"' in line for line in said)


@pytest.mark.parametrize("unlike", [{"token_secret": "another secret that is long enough for it"}, {"token_audience": "others"}])
async def test_servers_with_other_tokens_notice_each_other(
    settings: Settings, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], str], unlike: dict[str, str]
):
    monkeypatch.setattr(clerk, "BEAT_S", 50 * MS)
    settings = msgspec.structs.replace(settings, redis_url=redis.url)
    other = msgspec.structs.replace(settings, **unlike)
    fingerprint = from_settings.fingerprint(other)
    assert fingerprint == from_settings.fingerprint(other)
    assert SECRET not in fingerprint
    async with run_server(settings), Cluster(redis.url, 10.0).node("b", fingerprint=fingerprint):
        await eventually(lambda: TOLD in logged())


def test_nodes_in_the_steps_of_a_rotation_are_alike_and_those_that_skip_one_are_not(settings: Settings):
    old, new = "the old secret that is long enough for it", "the new secret that is long enough for it"
    steps = [(old, ""), (old, new), (new, old), (new, "")]
    of_steps = [msgspec.structs.replace(settings, token_secret=first, token_other_secret=other) for first, other in steps]
    said = list(map(from_settings.fingerprint, of_steps))
    alike = {(one, other) for one in range(4) for other in range(4) if clerk._are_alike(said[one], said[other])}
    assert {(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (3, 3)} == alike


def test_a_public_key_is_the_same_however_its_lines_are_broken(settings: Settings):
    broken, written = (msgspec.structs.replace(settings, token_public_key=f"-----BEGIN{end}MIIB{end}") for end in ("\n", "\\n"))
    assert from_settings.fingerprint(broken) == from_settings.fingerprint(written) != from_settings.fingerprint(settings)
