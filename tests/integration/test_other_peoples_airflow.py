"""Beside other people's DAGs: what importing the package costs them and changes for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from weixin_etl.datasets import DATASETS

ROOT = Path(__file__).parents[2]

SAY = "def say(*words): print('SAID', *words)\n"
"""What Airflow logs is on stdout too."""

IMPORTED = """
import sys
from importlib.metadata import entry_points
from airflow.dag_processing.dagbag import DagBag

(plugin,) = entry_points(group="airflow.plugins", name="weixin")
plugin.load()
say(*sorted(it for it in sys.modules if it.startswith("weixin_etl")))

before = set(sys.modules)
bag = DagBag(sys.argv[1])
say(*sorted(bag.dags))
say(*sorted(set(sys.modules) - before))
"""

CHANGED = """
import gc, importlib, logging, os, pkgutil, runpy, signal, socket, sys, threading, warnings
import airflow.sdk, psycopg2, requests, sqlalchemy.orm, urllib3
import airflow.dag_processing.dagbag
import airflow.api_fastapi.app, airflow.models, airflow.sdk.execution_time.task_runner

def loggers():
    return {
        name: (it.level, it.disabled, it.propagate, list(it.handlers), list(it.filters))
        for name, it in {**logging.root.manager.loggerDict, "": logging.root}.items()
        if isinstance(it, logging.Logger)
    }

def attributes():
    found = {}
    for name, module in list(sys.modules.items()):
        if module is None or name.startswith(("weixin_etl", "__main__")):
            continue
        for key, value in list(vars(module).items()):
            if key in ("__warningregistry__", "__builtins__"):
                continue
            found[name, key] = value
            if isinstance(value, type):
                found.update({(name, key, it): its for it, its in list(vars(value).items())})
    return found

def process():
    return {
        "warnings": list(warnings.filters),
        "signals": {it: signal.getsignal(it) for it in signal.valid_signals()},
        "hooks": (sys.excepthook, threading.excepthook, warnings.showwarning, sys.displayhook),
        "environment": dict(os.environ),
        "timeout": socket.getdefaulttimeout(),
        "path": list(sys.path),
        "factory": logging.getLogRecordFactory(),
        "streams": (sys.stdout, sys.stderr),
    }

PATCHED = ("airflow", "logging", "psycopg2", "requests", "sqlalchemy", "urllib3", "warnings")
was = attributes(), loggers(), process()
import weixin_etl
for module in pkgutil.walk_packages(weixin_etl.__path__, "weixin_etl."):
    importlib.import_module(module.name)
runpy.run_path(f"{sys.argv[1]}/weixin_article_statistics.py")

now, later, state = attributes(), loggers(), process()
for key, value in was[0].items():
    if key[0].split(".")[0] in PATCHED and not key[1].startswith("_") and now.get(key) is not value:
        say("attribute", *key)
for name, setting in was[1].items():
    if later[name] != setting:
        say("logger", name, setting, later[name])
for name, setting in was[2].items():
    if state[name] != setting:
        say(name, setting, state[name])
say(len(was[0]), len(was[1]))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> "Said":
    """Runs a program in an Airflow without database, connection or Variable."""
    return Said(tmp_path_factory.mktemp("airflow"))


class Said:
    """What a program prints in a fresh process."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def by(self, program: str) -> list[str]:
        """Its lines."""
        own = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "WEIXIN"))}
        environment = {
            **own,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@127.0.0.1:1/none",
        }
        done = subprocess.run(
            [sys.executable, "-c", SAY + program, ROOT / "dags"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        return [line.removeprefix("SAID ") for line in lines if line.startswith("SAID ")]


def test_every_process_of_airflow_imports_next_to_nothing_of_ours(said: Said) -> None:
    """Each task of anybody's DAG loads providers and plugins; each file of DAGs is parsed often."""
    loaded, dags, parsed = (set(line.split()) for line in said.by(IMPORTED))

    assert loaded == {
        "weixin_etl",
        "weixin_etl.orchestration",
        "weixin_etl.orchestration.web",
        "weixin_etl.orchestration.web.listener",
        "weixin_etl.orchestration.web.plugin",
        "weixin_etl.orchestration.web.provider",
        "weixin_etl.orchestration.settings",
    }
    assert dags == {it.dag_id for it in DATASETS.values()}
    ours = {it for it in parsed if it.startswith("weixin_etl.")}
    assert "weixin_etl.orchestration.tasks.declared" in ours
    in_orchestration = {it.removeprefix("weixin_etl.orchestration.") for it in ours}
    assert in_orchestration.isdisjoint(
        {"tasks.daily", "tasks.alerts", "connections", "web.page", "commands"}
    )
    assert "weixin_etl.run.ingest" not in ours
    top = {it.split(".")[0] for it in parsed}
    assert top & {"apprise", "fastapi", "numpy", "pandas", "requests", "starlette"} == set()


def test_importing_all_of_it_changes_nothing_of_others(said: Said) -> None:
    """Nothing is monkeypatched; loggers, warnings, signals, environment and paths stay."""
    *changed, looked_at = said.by(CHANGED)

    assert changed == []
    attributes, loggers = map(int, looked_at.split())
    assert attributes > 100_000
    assert loggers > 50
