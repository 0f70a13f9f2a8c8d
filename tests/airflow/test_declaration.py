"""What the DAG file declares, as Airflow reads it."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.module_loading import import_string
from dag_runs import DAG_ID, REPOSITORY, TASKS, parsed
from in_process import SETTINGS

from weixin_etl.datasets import DATASETS
from weixin_etl.orchestration.tasks import alerts
from weixin_etl.orchestration.tasks.declared import EndForGood, EndOfTask

PRINT_BAG = """
import os, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.plugins_manager import get_plugin_info
get_plugin_info()
bag = DagBag()
package = {path.split(".")[0] for path in os.listdir("plugins/weixin_etl")} - {"__init__"}
print(sorted(bag.dags), bag.import_errors, sorted(package & {*sys.modules}))
print(sorted(it.dag_id for it in bag.dags.values() if it.is_paused_upon_creation))
"""


def test_the_folder_holds_exactly_these_dags(tmp_path: Path):
    """
    Read with no database in reach: no import error, and no module of the package runs by itself.

    Those of statistics days wait, paused, until somebody wants them. The scanner of the plugins
    folder would run each module a second time, as a top-level one.
    """
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    nowhere = "postgresql+psycopg2://nobody@127.0.0.1:1/none"
    of_test = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": nowhere}
    done = subprocess.run(
        [sys.executable, "-c", PRINT_BAG],
        cwd=REPOSITORY,
        env={**bare, **SETTINGS, **of_test},
        capture_output=True,
        text=True,
        check=True,
    )

    every = sorted(it.dag_id for it in DATASETS.values())
    waiting = sorted(it.dag_id for it in DATASETS.values() if it.is_optional)
    assert (len(every), len(waiting)) == (7, 5)
    assert done.stdout.splitlines()[-2:] == [f"{every} {{}} []", f"{waiting}"]


@pytest.mark.usefixtures("airflow")
def test_the_documented_consumer_waits_for_this_dags_asset(tmp_path: Path):
    """The example of the manual can be put beside the DAG as it is."""
    page = (REPOSITORY / "docs/operating/every-morning.md").read_text()
    (tmp_path / "consumer.py").write_text(page.split("```python\n")[1].split("```")[0])

    bag, dag = DagBag(str(tmp_path)), parsed()

    assert bag.import_errors == {}
    condition = bag.dags["after_weixin"].timetable.asset_condition
    assert list(condition.objects) == dag.get_task("check").outlets
    assert [it.task_id for it in dag.tasks if it.outlets] == ["check"]


@pytest.mark.usefixtures("airflow")
def test_tasks_are_as_the_settings_say(monkeypatch: pytest.MonkeyPatch):
    """
    `check` is last, waits for `ingest` itself, and runs whatever happened before it.

    So when only the failed tasks are cleared, the green report between them is not. Each is stopped
    when it hangs, and is tried again unless it says that this cannot help.
    """
    monkeypatch.setenv("AIRFLOW__WEIXIN__RUN_AT", "09:05")
    monkeypatch.setenv("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "77")
    dag = parsed()

    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("5 9 * * *", "Asia/Shanghai")
    assert (dag.catchup, dag.max_active_runs) == (False, 3)
    assert dag.deadline[0].interval == timedelta(hours=3, minutes=25)
    assert [task.task_id for task in dag.leaves] == ["check"]
    assert dag.get_task("check").upstream_task_ids == {"ingest", "report"}
    assert dag.get_task("ingest").max_active_tis_per_dag == 16
    late = ("report", "check")
    for task in dag.tasks:
        assert task.trigger_rule == ("all_done" if task.task_id in late else "all_success")
        assert task.execution_timeout <= timedelta(hours=2)
        assert (task.retries, task.retry_delay.total_seconds()) == (3, 77)
        for error, action in ((EndForGood, RetryAction.FAIL), (EndOfTask, RetryAction.DEFAULT)):
            assert task.retry_policy.evaluate(error("x"), 1, 3).action == action
    assert {it.task_id for it in dag.tasks} == {*TASKS}


@pytest.mark.usefixtures("airflow")
@pytest.mark.parametrize(("run_type", "told"), [("scheduled", 1), ("manual", 0), ("backfill", 0)])
def test_only_a_scheduled_run_can_be_late(
    run_type: str, told: int, monkeypatch: pytest.MonkeyPatch
):
    """Nobody waits for another one. Being queued late is no lateness."""
    late = Mock()
    monkeypatch.setattr(alerts, "run_is_late", late)
    (deadline,) = parsed().deadline

    run: Any = {"dag_id": DAG_ID, "dag_run_id": "r", "state": "running", "run_type": run_type}
    import_string(deadline.callback.path)({"dag_run": run})

    assert late.call_count == told
    assert deadline.reference.reference_name == "DagRunQueuedAtDeadline"


@pytest.mark.usefixtures("airflow")
def test_the_endpoints_are_one_line_that_may_be_shortened(tmp_path: Path):
    """In a copy of the file, as `weixin-etl dag` prints it for another Airflow's folder."""
    command = [sys.executable, "-m", "weixin_etl.cli", "dag"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == (REPOSITORY / "dags/weixin_article_statistics.py").read_text()
    line = 'ENDPOINTS = list(DATASETS)  # or fewer, for example ["article_total", "follower_total"]'
    shorter = line.partition("for example ")[2]
    (tmp_path / "weixin.py").write_text(printed.replace(line, f"ENDPOINTS = {shorter}"))

    bag = DagBag(str(tmp_path))

    assert bag.import_errors == {}
    assert sorted(bag.dags) == ["weixin_article_total", "weixin_follower_total"]
