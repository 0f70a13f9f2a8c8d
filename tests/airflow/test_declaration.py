"""Tests of the DAG file: the DAGs it declares, and the cost for other DAGs of the same Airflow."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.module_loading import import_string
from dag_runs import DAG_ID, DailyDag, parsed
from support.in_process import SETTINGS
from support.people import PROJECT, printed
from support.receivers import Receiver

from weixin_etl.datasets import DATASETS

READ = """
import json, os, sys
from importlib.metadata import entry_points
from airflow.dag_processing.dagbag import DagBag
from airflow.plugins_manager import get_plugin_info

(plugin,) = entry_points(group="airflow.plugins", name="weixin")
plugin.load()
loaded = [name for name in sys.modules if name.startswith("weixin_etl")]
before = set(sys.modules)
bag = DagBag()
parsed = set(sys.modules) - before
get_plugin_info()
again = {path.split(".")[0] for path in os.listdir("plugins/weixin_etl")} - {"__init__"}
dags = {dag.dag_id: bool(dag.is_paused_upon_creation) for dag in bag.dags.values()}
print()  # what Airflow logs is on stdout too
print(json.dumps([dags, bag.import_errors, [*again & {*sys.modules}], loaded, [*parsed]]))
"""
WEB = "weixin_etl.orchestration.web"
WEB_MODULES = {WEB, f"{WEB}.listener", f"{WEB}.plugin"}
"""The modules of `orchestration.web` that every process of Airflow imports."""
NOT_PARSED = {
    *("requests", "fastapi", "starlette", "apprise", "numpy", "pandas"),
    *("weixin_etl.run.ingest", "weixin_etl.orchestration.connections"),
    *(f"weixin_etl.orchestration.{name}" for name in ("tasks.daily", "tasks.alerts", "web.page")),
}


def test_the_folder_declares_one_dag_per_dataset_and_imports_little(tmp_path: Path):
    """
    The file is parsed without a database and without an import error.

    The DAGs of optional datasets are paused. Airflow's scanner of the plugins folder runs no module
    of the package a second time. Every task of any DAG loads providers and plugins, and DAG files
    are parsed often; therefore both import only a few modules.
    """
    nowhere = "postgresql+psycopg2://nobody@127.0.0.1:1/none"
    paths = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": nowhere}
    output = printed(sys.executable, "-c", READ, **SETTINGS, **paths)
    dags, *problems, loaded, parsed = json.loads(output.splitlines()[-1])

    of_datasets = {dataset.dag_id: dataset.is_optional for dataset in DATASETS.values()}
    assert dags == of_datasets | {"weixin_digest": True}
    assert problems == [{}, []]
    orchestration = {"weixin_etl", "weixin_etl.orchestration", "weixin_etl.orchestration.settings"}
    assert {*loaded} == orchestration | WEB_MODULES
    assert "weixin_etl.orchestration.tasks.declared" in parsed
    assert {*parsed} & NOT_PARSED == set()


@pytest.mark.usefixtures("airflow")
def test_tasks_follow_the_settings_and_check_is_last(monkeypatch: pytest.MonkeyPatch):
    """
    `check` depends on `ingest` as well as on `report`, so clearing the failed tasks is enough.

    The successful `report` between them need not be cleared. Each task has a timeout.
    """
    monkeypatch.setenv("AIRFLOW__WEIXIN__RUN_AT", "09:05")
    monkeypatch.setenv("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "77")
    dag = parsed()

    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("5 9 * * *", "Asia/Shanghai")
    assert (dag.catchup, dag.get_task("ingest").max_active_tis_per_dag) == (False, 16)
    assert dag.deadline[0].interval == timedelta(hours=3, minutes=25)
    assert [task.task_id for task in dag.leaves] == ["check"]
    assert dag.get_task("check").upstream_task_ids == {"ingest", "report"}
    for task in dag.tasks:
        assert task.execution_timeout <= timedelta(hours=2)
        assert (task.retries, task.retry_delay.total_seconds()) == (3, 77)


def test_only_a_scheduled_run_made_before_its_deadline_can_be_late(
    daily: DailyDag, receiver: Receiver
):
    """A manual run has no deadline. A run created after its deadline is not reported as late."""
    (alert,) = parsed().deadline
    deadline = {"deadline_time": datetime(2026, 11, 24, 4, 30, tzinfo=UTC)}
    run: dict[str, Any] = {"dag_id": DAG_ID, "dag_run_id": "r", "state": "running"}
    daily.at("12:30")
    titles = []
    for run_type, queued_at in (
        ("manual", "2026-11-24T00:30:00Z"),
        ("backfill", "2026-11-24T00:30:00Z"),
        ("scheduled", "2026-11-24T07:00:00Z"),
        ("scheduled", "2026-11-24T00:30:01Z"),
    ):
        made = run | {"run_type": run_type, "queued_at": queued_at}
        import_string(alert.callback.path)({"dag_run": made, "deadline": deadline})
        titles.append([*receiver.titles])

    assert titles == [[], [], [], ["weixin-etl: the daily run is late"]]


@pytest.mark.usefixtures("airflow")
def test_the_printed_dag_file_and_the_manuals_consumer_work_in_another_folder(tmp_path: Path):
    """`weixin-etl dag` prints the file. The consumer waits for the asset of the task `check`."""
    copy = printed(sys.executable, "-m", "weixin_etl.cli", "dag")
    assert copy == (PROJECT / "dags/weixin_article_statistics.py").read_text()
    line = 'ENDPOINTS = list(DATASETS)  # or fewer, for example ["article_total", "follower_total"]'
    shorter = line.partition("for example ")[2]
    (tmp_path / "weixin.py").write_text(copy.replace(line, f"ENDPOINTS = {shorter}"))
    page = (PROJECT / "docs/operating/every-morning.md").read_text()
    (tmp_path / "consumer.py").write_text(page.split("```python\n")[1].split("```")[0])

    bag = DagBag(str(tmp_path))

    assert bag.import_errors == {}
    datasets = {"weixin_article_total", "weixin_follower_total"}
    assert {*bag.dags} == {"after_weixin", "weixin_digest"} | datasets
    begins = bag.dags["weixin_digest"].timetable.asset_condition
    assert {asset.name for asset in begins.objects} == datasets
    with_outlets = [task for task in bag.dags["weixin_article_total"].tasks if task.outlets]
    assert [task.task_id for task in with_outlets] == ["check"]
    condition = bag.dags["after_weixin"].timetable.asset_condition
    assert [*condition.objects] == with_outlets[0].outlets
