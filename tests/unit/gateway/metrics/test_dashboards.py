"""What people look at and are woken by asks for what the page really has."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from gateway.data_folder import open_folder
from gateway.metrics.alarm_path import AlarmPathMetrics
from gateway.metrics.page import Page
from gateway.metrics.readings import ReadingMetrics
from gateway.settings import Settings
from services.domain.clock import SystemClock
from services.store.migrations import READINGS, migrate
from services.store.sqlite import SqliteConnection

DOCKER: Final = Path(__file__).parents[4] / "docker"
DASHBOARD: Final = json.loads((DOCKER / "grafana/dashboards/stadsnav.json").read_text())
ALERTS: Final = yaml.safe_load((DOCKER / "prometheus/alerts.yml").read_text())
NAME: Final = re.compile(r"\bstadsnav_\w+")
SUFFIXES: Final = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
PROMETHEUS_OWN: Final = {"up", "absent"}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a data folder on which every process has run."""
    folder = open_folder(tmp_path_factory.mktemp("metrics") / "data")
    for path, package in ((folder.database, None), (folder.readings, READINGS)):
        store = SqliteConnection(path)
        migrate(store, *([package] if package else []))
        store.close()
    AlarmPathMetrics(folder, SystemClock()).keeping.write()
    ReadingMetrics(folder, SystemClock()).keeping.write()
    settings = Settings.model_validate({"export": {"town": {"url": "http://127.0.0.1:1", "bucket": "b"}}})
    return Page(folder, settings, SystemClock()).text().decode()


@pytest.fixture(scope="module")
def exposed(page: str) -> set[str]:
    families = re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE)
    return {
        name.removesuffix("_total") + suffix if kind == "counter" else name + suffix
        for name, kind in families
        for suffix in SUFFIXES[kind]
    }


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    variables = [item["definition"] for item in DASHBOARD["templating"]["list"] if "definition" in item]
    return [*panels, *variables]


def rules() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def test_every_expression_of_the_dashboard_asks_for_what_is_exposed(exposed: set[str]) -> None:
    asked = {name for expression in expressions() for name in NAME.findall(expression)}

    assert len(expressions()) > 40
    assert asked - exposed == set()


def test_every_figure_is_shown_somewhere(exposed: set[str]) -> None:
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in exposed}

    assert families - {re.sub("_(bucket|sum|count)$", "", name) for name in asked} == set()


def test_every_alert_asks_for_what_is_exposed_and_says_what_to_do(exposed: set[str]) -> None:
    asked = {name for rule in rules() for name in NAME.findall(rule["expr"])}

    assert asked - exposed == set()
    for rule in rules():
        assert NAME.search(rule["expr"]) or "up{" in rule["expr"]
        assert rule["labels"]["severity"] in {"page", "work"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
    assert sum(rule["labels"]["severity"] == "page" for rule in rules()) <= 8


def test_the_panels_have_places_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_every_name_is_explained_and_given_once(page: str) -> None:
    helps = re.findall(r"^# HELP (\S+) (.+)$", page, re.MULTILINE)

    assert len(helps) >= 30
    assert len({name for name, _ in helps}) == len(helps)
    assert all(name.startswith("stadsnav_") for name, _ in helps)
