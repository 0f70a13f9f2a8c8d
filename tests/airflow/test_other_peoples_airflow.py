"""Beside other people's DAGs: what importing the package costs them (0031)."""

import json
import os
import subprocess
import sys
from pathlib import Path

from weixin_etl.datasets import DATASETS

DAGS = Path(__file__).parents[2] / "dags"
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
OF_A_PROCESS = ("", ".listener", ".plugin", ".provider")
NOT_OF_A_PARSE = {"requests", "fastapi", "starlette", "apprise", "numpy", "pandas"}
NOT_OF_A_PARSE |= {
    *("weixin_etl.run.ingest", "weixin_etl.orchestration.connections"),
    *(f"weixin_etl.orchestration.{it}" for it in ("tasks.daily", "tasks.alerts", "web.page")),
}


def test_every_process_of_airflow_imports_next_to_nothing_of_ours(tmp_path: Path) -> None:
    """Each task of anybody's DAG loads providers and plugins; each file of DAGs is parsed often."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "WEIXIN"))}
    nowhere = "postgresql+psycopg2://nobody@127.0.0.1:1/none"
    own |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, DAGS],
        env=own | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": nowhere},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded, dags, parsed = map(set, json.loads(done.stdout.splitlines()[-1]))

    orchestration = {"weixin_etl", "weixin_etl.orchestration", "weixin_etl.orchestration.settings"}
    of_web = {f"weixin_etl.orchestration.web{it}" for it in OF_A_PROCESS}
    assert loaded == orchestration | of_web
    assert dags == {it.dag_id for it in DATASETS.values()}
    assert "weixin_etl.orchestration.tasks.declared" in parsed
    assert parsed & NOT_OF_A_PARSE == set()
