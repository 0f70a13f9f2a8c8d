"""Beside other people's DAGs: what importing the package costs them (0031)."""

import json
import os
import subprocess
import sys
from pathlib import Path

from weixin_etl.datasets import DATASETS

ROOT = Path(__file__).parents[2]

IMPORTED = """
import json, sys
from importlib.metadata import entry_points
from airflow.dag_processing.dagbag import DagBag

(plugin,) = entry_points(group="airflow.plugins", name="weixin")
plugin.load()
loaded = [it for it in sys.modules if it.startswith("weixin_etl")]
before = set(sys.modules)
dags = [*DagBag(sys.argv[1]).dags]
print()  # what Airflow logs is on stdout too
print(json.dumps([loaded, dags, [*set(sys.modules) - before]]))
"""


def test_every_process_of_airflow_imports_next_to_nothing_of_ours(tmp_path: Path) -> None:
    """Each task of anybody's DAG loads providers and plugins; each file of DAGs is parsed often."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "WEIXIN"))}
    environment = {
        **own,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@127.0.0.1:1/none",
    }
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, ROOT / "dags"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded, dags, parsed = map(set, json.loads(done.stdout.splitlines()[-1]))

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
