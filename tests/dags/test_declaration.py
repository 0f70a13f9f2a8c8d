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
from dag_runs import DAG_ID, REPOSITORY, parsed

from weixin_etl.datasets import DATASETS
from weixin_etl.model import ParameterError
from weixin_etl.orchestration.tasks import alerts, daily
from weixin_etl.orchestration.tasks.declared import EndOfTask
from weixin_etl.problem import ProblemKind, WarehouseError, WeixinError

BARE = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
PRINT_BAG = """
import sys
from airflow.dag_processing.dagbag import DagBag
from airflow.plugins_manager import get_plugin_info
get_plugin_info()
bag = DagBag()
print(sorted(bag.dags), bag.import_errors)
print(sorted(it.dag_id for it in bag.dags.values() if it.is_paused_upon_creation))
package = {path.split(".")[0] for path in __import__("os").listdir("plugins/weixin_etl")}
print(sorted(name for name in package - {"__init__", "__pycache__"} if name in sys.modules))
"""


@pytest.fixture
def dag(airflow: None) -> Any:  # it reads the settings
    """The DAG, out of its file."""
    return parsed()


def test_the_folder_holds_exactly_these_dags(tmp_path):
    """
    Read with no database in reach: no import error, and no module of the package runs by itself.

    Those of statistics days wait, paused, until somebody wants them. The scanner of the plugins
    folder would run each module a second time, as a top-level one.
    """
    environment = {
        **BARE,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@127.0.0.1:1/none",
    }

    done = subprocess.run(
        [sys.executable, "-c", PRINT_BAG],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    waiting = [it.dag_id for it in DATASETS.values() if not it.describes_articles]
    awake = ["weixin_article_total", "weixin_article_total_detail"]
    assert len(waiting) == 5
    assert done.stdout.splitlines()[-3:] == [
        f"{sorted([*waiting, *awake])} {{}}",
        f"{sorted(waiting)}",
        "[]",
    ]


@pytest.mark.usefixtures("airflow")
def test_the_documented_consumer_waits_for_this_dags_asset(dag, tmp_path):
    """The example of the manual can be put beside the DAG as it is."""
    page = (REPOSITORY / "docs/operating/every-morning.md").read_text()
    (tmp_path / "consumer.py").write_text(page.split("```python\n")[1].split("```")[0])

    bag = DagBag(str(tmp_path))

    assert bag.import_errors == {}
    condition = bag.dags["after_weixin"].timetable.asset_condition
    assert list(condition.objects) == dag.get_task("check").outlets
    assert [it.task_id for it in dag.tasks if it.outlets] == ["check"]


@pytest.mark.usefixtures("airflow")
def test_tasks_are_as_the_settings_say(monkeypatch):
    """
    `check` is last, waits for `ingest` itself, and runs whatever happened before it.

    So when only the failed tasks are cleared, the green report between them is not. Each is stopped
    when it hangs, and few call WeChat at once. The delay between tries is a setting, and so are the
    times at which a run begins and must have ended.
    """
    monkeypatch.setenv("AIRFLOW__WEIXIN__RUN_AT", "09:05")
    monkeypatch.setenv("AIRFLOW__WEIXIN__CONCURRENCY", "32")
    monkeypatch.setenv("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "77")

    dag = parsed()

    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("5 9 * * *", "Asia/Shanghai")
    assert (dag.catchup, dag.max_active_runs) == (False, 3)
    assert dag.deadline[0].interval == timedelta(hours=3, minutes=25)
    assert [task.task_id for task in dag.leaves] == ["check"]
    assert dag.get_task("check").upstream_task_ids == {"ingest", "report"}
    assert {
        it.task_id: (it.trigger_rule.value, it.max_active_tis_per_dag, it.execution_timeout)
        for it in dag.tasks
    } == {
        "refresh_access_token": ("all_success", None, timedelta(hours=1)),
        "plan": ("all_success", None, timedelta(minutes=10)),
        "ingest": ("all_success", 16, timedelta(hours=2)),
        "report": ("all_done", None, timedelta(minutes=10)),
        "check": ("all_done", None, timedelta(minutes=10)),
    }
    assert {
        (it.retries, it.retry_delay.total_seconds(), it.retry_exponential_backoff)
        for it in dag.tasks
    } == {(3, 77, 2)}


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (WeixinError(ProblemKind.CONFIGURATION, code="48001"), RetryAction.FAIL),
        (WeixinError(ProblemKind.NOT_READY), RetryAction.FAIL),
        (ParameterError(), RetryAction.FAIL),
        (WarehouseError(ProblemKind.WAREHOUSE_SETUP), RetryAction.FAIL),
        (WeixinError(ProblemKind.UNREACHABLE), RetryAction.DEFAULT),
        (WarehouseError(ProblemKind.WAREHOUSE), RetryAction.DEFAULT),
        (ZeroDivisionError(), RetryAction.DEFAULT),
    ],
    ids=lambda it: type(it).__name__,
)
def test_a_task_is_tried_again_unless_that_cannot_help(
    dag: Any, error: Exception, action: RetryAction, monkeypatch: pytest.MonkeyPatch
):
    """What somebody has to change first fails at once; what nobody thought of is tried again."""
    monkeypatch.setattr(daily, "get_current_context", lambda: {"ti": Mock()})
    with pytest.raises(EndOfTask) as ended, daily.readable_ending():
        raise error

    assert {it.retry_policy.evaluate(ended.value, 1, 3).action for it in dag.tasks} == {action}


@pytest.mark.parametrize(("run_type", "told"), [("scheduled", 1), ("manual", 0), ("backfill", 0)])
def test_only_a_scheduled_run_can_be_late(
    dag: Any, run_type: str, told: int, monkeypatch: pytest.MonkeyPatch
):
    """Nobody waits for another one. Being queued late is no lateness."""
    late = Mock()
    monkeypatch.setattr(alerts, "run_is_late", late)
    (deadline,) = dag.deadline

    run = {"dag_id": DAG_ID, "dag_run_id": "r", "state": "running", "run_type": run_type}
    import_string(deadline.callback.path)({"dag_run": run})

    assert late.call_count == told
    assert deadline.reference.reference_name == "DagRunQueuedAtDeadline"


def test_the_endpoints_are_one_line_that_may_be_shortened(airflow: None, tmp_path: Path):
    """In a copy of the file, as `weixin-etl dag` prints it for another Airflow's folder."""
    printed = subprocess.run(
        [sys.executable, "-m", "weixin_etl.cli", "dag"], capture_output=True, text=True, check=True
    ).stdout
    assert printed == (REPOSITORY / "dags/weixin_article_statistics.py").read_text()
    line = 'ENDPOINTS = list(DATASETS)  # or fewer, for example ["article_total", "follower_total"]'
    shorter = line.partition("for example ")[2]
    (tmp_path / "weixin.py").write_text(printed.replace(line, f"ENDPOINTS = {shorter}"))

    bag = DagBag(str(tmp_path))

    assert bag.import_errors == {}
    assert sorted(bag.dags) == ["weixin_article_total", "weixin_follower_total"]
