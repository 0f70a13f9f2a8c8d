"""What the DAG file declares, as Airflow reads it."""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from dag_runs import REPOSITORY, parsed

from weixin_etl.datasets import DATASETS

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
    awake = ["weixin_article_total", "weixin_article_total_detail", "weixin_replay"]
    assert len(waiting) == 5
    assert done.stdout.splitlines()[-3:] == [
        f"{sorted([*waiting, *awake])} {{}}",
        f"{sorted(waiting)}",
        "[]",
    ]


@pytest.mark.usefixtures("airflow")
def test_the_documented_consumer_waits_for_this_dags_asset(dag, tmp_path):
    """The example of the manual can be put beside the DAG as it is."""
    from airflow.dag_processing.dagbag import DagBag

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

    So when only the failed tasks are cleared, the green report between them is not. A task that
    calls WeChat takes one slot, whatever it calls at once: more slots than the pool has would be
    waited for without end. Each is stopped when it hangs; tries and their delay are settings, and
    so are the times at which a run begins and must have ended.
    """
    monkeypatch.setenv("AIRFLOW__WEIXIN__RUN_AT", "09:05")
    monkeypatch.setenv("AIRFLOW__WEIXIN__CONCURRENCY", "32")
    monkeypatch.setenv("AIRFLOW__WEIXIN__RETRIES", "5")
    monkeypatch.setenv("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "77")

    dag = parsed()

    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("5 9 * * *", "Asia/Shanghai")
    assert (dag.catchup, dag.max_active_runs) == (False, 3)
    assert dag.deadline[0].interval == timedelta(hours=3, minutes=25)
    assert [task.task_id for task in dag.leaves] == ["check"]
    assert dag.get_task("check").upstream_task_ids == {"ingest", "report"}
    assert {
        it.task_id: (it.trigger_rule.value, it.pool, it.pool_slots, it.execution_timeout)
        for it in dag.tasks
    } == {
        "refresh_access_token": ("all_success", "weixin_api", 1, timedelta(hours=1)),
        "plan": ("all_success", "default_pool", 1, timedelta(minutes=10)),
        "ingest": ("all_success", "weixin_api", 1, timedelta(hours=2)),
        "report": ("all_done", "default_pool", 1, timedelta(minutes=10)),
        "check": ("all_done", "default_pool", 1, timedelta(minutes=10)),
    }
    # the second delay holds after a kill
    assert {
        (it.retries, it.retry_policy.delay_seconds, it.retry_delay.total_seconds())
        for it in dag.tasks
    } == {(5, 77, 77)}
