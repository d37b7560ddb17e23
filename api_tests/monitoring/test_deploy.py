"""The files for Prometheus and Grafana that the docs offer: what they ask for is what there is."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from api_tests.client import ApiClient
from api_tests.monitoring.prometheus_server import configured, program, run_prometheus
from api_tests.server import Running
from api_tests.waiting import eventually_told

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
RULES = [rule for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((DEPLOY / "grafana.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
PROMETHEUS_ITSELF = {"up": {"job", "instance"}, "wsx_worker_up": {"worker"}}
"""What it says of its targets; and what only a server of several workers tells."""
ADDED = {"job", "instance", "worker"}
NAME = re.compile(r"\b(?:wsx|process|python)_[a-z_]+\b(?!\s*=)|\bup\b")
SELECTOR = re.compile(r"\b((?:wsx|process|python)_[a-z_]+|up)\{([^}]*)\}")


OF_THE_CLUSTER = {"wsx_cluster_users_online", "wsx_nodes", "wsx_journal_entries_total", "wsx_journal_losses_total"}
"""What every node tells of all of them: two nodes are not twice as much."""


async def labels_there_are(api: ApiClient) -> dict[str, set[str]]:
    text = (await api.http.get("/metrics")).text
    text = (await api.http.get("/metrics")).text or text  # the first one is counted in the second
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found | PROMETHEUS_ITSELF


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in RULES), *EXPRESSIONS])
def test_expressions_name_something(expression: str):
    assert NAME.findall(expression)


async def test_every_number_and_label_that_is_asked_for_is_told(server: Running, api: ApiClient):
    there = await labels_there_are(api)
    for expression in (*(rule["expr"] for rule in RULES), *EXPRESSIONS):
        names = NAME.findall(expression)
        assert [] == [name for name in names if name not in there]
        for name, selector in SELECTOR.findall(expression):
            assert set(re.findall(r"(\w+)\s*[=!]", selector)) <= there[name] | ADDED, expression
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            assert set(re.findall(r"\w+", grouped)) <= set().union(*(there[name] for name in names)) | ADDED, expression


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_every_node_tells_of_the_whole_cluster_is_not_summed_by_the_dashboard(expression: str):
    if OF_THE_CLUSTER.intersection(NAME.findall(expression)):
        assert expression.startswith(("max", "min"))
    else:
        assert not expression.startswith(("max", "min"))
    assert "wsx_users_elsewhere" not in expression


def test_the_docs_name_what_is_not_to_be_summed():
    page = (DEPLOY.parent / "operations.md").read_text()
    said = page.partition("**Several nodes.**")[2].partition("\n\n")[0]
    assert OF_THE_CLUSTER <= set(re.findall(r"`(\w+)`", said))


def test_every_alert_says_what_why_and_what_to_do():
    assert 6 == len({rule["alert"] for rule in RULES})
    page = (DEPLOY.parent / "operations.md").read_text()
    for rule in RULES:
        assert {"summary", "description"} == rule["annotations"].keys()
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert f"`{rule['alert']}`" in page


def test_every_panel_says_what_it_shows_and_has_its_place():
    places: set[tuple[int, int]] = set()
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places, panel["title"]
        assert max(x for x, _ in cells) < 24
        places |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_rules_fire_when_they_should_and_only_then(tmp_path: Path):
    promtool = program("promtool")
    tests = yaml.safe_load((Path(__file__).parent / "alerts_test.yml").read_text())
    tests["rule_files"] = [str(DEPLOY / "alerts.yml")]
    assert {rule["alert"] for rule in RULES} == {check["alertname"] for test in tests["tests"] for check in test["alert_rule_test"]}
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    for what in (("check", "rules", DEPLOY / "alerts.yml"), ("test", "rules", tmp_path / "tests.yml")):
        done = subprocess.run([promtool, *map(str, what)], capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stdout + done.stderr


async def test_a_real_prometheus_reads_the_server_and_answers_every_question_of_the_dashboard(
    server: Running, api: ApiClient, tmp_path: Path
):
    config = configured(tmp_path, DEPLOY / "prometheus.yml", f"127.0.0.1:{server.port}", await api.key_with("metrics:read"))
    left = {one: one.replace("$__rate_interval", "1m").replace("$instance", ".*") for one in EXPRESSIONS}
    async with run_prometheus(tmp_path, config) as prometheus, server.socket("ada"):
        await api.broadcast("x")

        async def all_are_answered() -> bool:
            for shown, asked in tuple(left.items()):
                if await prometheus.ask(asked):
                    del left[shown]
            return not left

        try:
            await eventually_told(all_are_answered)
        except TimeoutError:
            pytest.fail(f"nothing is shown for {[*left]}")

        async def one_page_is_seen() -> bool:
            return ["1"] == [one["value"][1] for one in await prometheus.ask('sum(wsx_connections{door="ws"})')]

        await eventually_told(one_page_is_seen)
