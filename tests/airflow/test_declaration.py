"""What the DAG file declares, as Airflow reads it, and what that costs others (0031)."""

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
loaded = [it for it in sys.modules if it.startswith("weixin_etl")]
before = set(sys.modules)
bag = DagBag()
parsed = set(sys.modules) - before
get_plugin_info()
again = {path.split(".")[0] for path in os.listdir("plugins/weixin_etl")} - {"__init__"}
dags = {it.dag_id: bool(it.is_paused_upon_creation) for it in bag.dags.values()}
print()  # what Airflow logs is on stdout too
print(json.dumps([dags, bag.import_errors, [*again & {*sys.modules}], loaded, [*parsed]]))
"""
OF_A_PROCESS = ("", ".listener", ".plugin", ".provider")
NOT_OF_A_PARSE = {
    *("requests", "fastapi", "starlette", "apprise", "numpy", "pandas"),
    *("weixin_etl.run.ingest", "weixin_etl.orchestration.connections"),
    *(f"weixin_etl.orchestration.{it}" for it in ("tasks.daily", "tasks.alerts", "web.page")),
}


def test_the_folder_holds_exactly_these_dags_and_costs_others_next_to_nothing(tmp_path: Path):
    """
    Read with no database in reach: no import error, and no module of the package runs by itself.

    Those of statistics days wait, paused, until somebody wants them. The scanner of the plugins
    folder would run each module a second time, as a top-level one. Each task of anybody's DAG loads
    providers and plugins; each file of DAGs is parsed often.
    """
    nowhere = "postgresql+psycopg2://nobody@127.0.0.1:1/none"
    of_test = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": nowhere}
    read = printed(sys.executable, "-c", READ, **SETTINGS, **of_test)
    dags, *problems, loaded, parsed = json.loads(read.splitlines()[-1])

    assert dags == {it.dag_id: it.is_optional for it in DATASETS.values()}
    assert problems == [{}, []]
    orchestration = {"weixin_etl", "weixin_etl.orchestration", "weixin_etl.orchestration.settings"}
    assert {*loaded} == orchestration | {f"weixin_etl.orchestration.web{it}" for it in OF_A_PROCESS}
    assert "weixin_etl.orchestration.tasks.declared" in parsed
    assert {*parsed} & NOT_OF_A_PARSE == set()


@pytest.mark.usefixtures("airflow")
def test_tasks_are_as_the_settings_say(monkeypatch: pytest.MonkeyPatch):
    """
    `check` is last, waits for `ingest` itself, and runs whatever happened before it.

    So when only the failed tasks are cleared, the green report between them is not. Each is stopped
    when it hangs.
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
    """Nobody waits for a manual run; one that Airflow makes in the afternoon is late before it."""
    (alert,) = parsed().deadline
    deadline = {"deadline_time": datetime(2026, 11, 24, 4, 30, tzinfo=UTC)}
    run: dict[str, Any] = {"dag_id": DAG_ID, "dag_run_id": "r", "state": "running"}
    daily.at("12:30")
    told = []
    for run_type, queued_at in (
        ("manual", "2026-11-24T00:30:00Z"),
        ("backfill", "2026-11-24T00:30:00Z"),
        ("scheduled", "2026-11-24T07:00:00Z"),
        ("scheduled", "2026-11-24T00:30:01Z"),
    ):
        made = run | {"run_type": run_type, "queued_at": queued_at}
        import_string(alert.callback.path)({"dag_run": made, "deadline": deadline})
        told.append([*receiver.titles])

    assert told == [[], [], [], ["weixin-etl: the daily run is late"]]


@pytest.mark.usefixtures("airflow")
def test_what_the_manual_puts_into_another_folder_of_dags(tmp_path: Path):
    """
    A copy of the file, as `weixin-etl dag` prints it: its endpoints are a line to be shortened.

    And a consumer, which waits for the asset of the check.
    """
    copy = printed(sys.executable, "-m", "weixin_etl.cli", "dag")
    assert copy == (PROJECT / "dags/weixin_article_statistics.py").read_text()
    line = 'ENDPOINTS = list(DATASETS)  # or fewer, for example ["article_total", "follower_total"]'
    shorter = line.partition("for example ")[2]
    (tmp_path / "weixin.py").write_text(copy.replace(line, f"ENDPOINTS = {shorter}"))
    page = (PROJECT / "docs/operating/every-morning.md").read_text()
    (tmp_path / "consumer.py").write_text(page.split("```python\n")[1].split("```")[0])

    bag = DagBag(str(tmp_path))

    assert bag.import_errors == {}
    assert {*bag.dags} == {"after_weixin", "weixin_article_total", "weixin_follower_total"}
    with_outlets = [it for it in bag.dags["weixin_article_total"].tasks if it.outlets]
    assert [it.task_id for it in with_outlets] == ["check"]
    condition = bag.dags["after_weixin"].timetable.asset_condition
    assert [*condition.objects] == with_outlets[0].outlets
