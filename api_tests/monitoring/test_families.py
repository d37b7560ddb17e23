"""Numbers as text: what the library would write, a step at a time."""

import asyncio
from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from app.monitoring.families import STEP, Renderer
from app.monitoring.requests import Requests


@pytest.fixture
def requests() -> Requests:
    """What a server has answered that was asked for everything, in every way."""
    requests = Requests()
    for number in range(61):
        for status in (200, 401, 403, 404, 422, 429):
            requests.count("GET", f"/api/v1/{number}", status, 0.003)
    return requests


async def text_of(metrics: Iterable[Metric], labels: dict[str, str]) -> bytes:
    renderer = Renderer(labels)
    return b"".join([part for metric in metrics for part in await renderer.rendered(metric)])


async def test_the_text_is_that_of_the_library(requests: Requests):
    registry = CollectorRegistry(auto_describe=False)
    registry.register(requests)
    whole = generate_latest(registry)
    assert len(whole.splitlines()) > 5 * STEP
    assert whole == await text_of(requests.collect(), {})


async def test_samples_have_the_label_of_their_worker(requests: Requests):
    text = (await text_of(requests.collect(), {"worker": "2"})).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert {"2"} == {sample.labels["worker"] for sample in samples}
    assert 61 * 6 == sum(sample.value for sample in samples if sample.name == "wsx_http_requests_total")


async def test_a_family_without_samples_has_its_head(requests: Requests):
    assert b"# HELP x y\n# TYPE x gauge\n" == await text_of([GaugeMetricFamily("x", "y", labels=["z"])], {})


async def test_others_have_their_turn_between_the_steps(requests: Requests):
    turns = 0
    loop = asyncio.get_running_loop()

    def turn() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(turn)

    loop.call_soon(turn)
    text = await text_of(requests.collect(), {})
    assert turns >= len(text.splitlines()) // (2 * STEP)  # the first step of a family may come on top of what was left of one
