"""What the DAG file declares, as Airflow reads it."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from dag_runs import DAG_ID, REPOSITORY, parsed

TASKS = ["refresh_access_token", "plan", "ingest", "report", "check"]
BARE = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
PRINT_BAG = """
import sys
from airflow.dag_processing.dagbag import DagBag
from airflow.plugins_manager import get_plugin_info
get_plugin_info()
bag = DagBag()
print(sorted(bag.dags), bag.import_errors)
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

    The scanner of the plugins folder would run each a second time, as a top-level module.
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
    assert done.stdout.splitlines()[-2:] == [
        "['weixin_article_total', 'weixin_article_total_detail', 'weixin_replay'] {}",
        "[]",
    ]


def test_only_check_is_last(dag):
    """The run's state is that of its last task, which runs whatever happened before it."""
    assert [task.task_id for task in dag.leaves] == ["check"]
    assert {task.task_id: task.trigger_rule.value for task in dag.tasks} == {
        "refresh_access_token": "all_success",
        "plan": "all_success",
        "ingest": "all_success",
        "report": "all_done",
        "check": "all_done",
    }


@pytest.mark.usefixtures("airflow")
def test_the_documented_consumer_waits_for_this_dags_asset(dag, tmp_path):
    """The example of the manual can be put beside the DAG as it is."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import PartitionedAssetTimetable

    page = (REPOSITORY / "docs/operating/every-morning.md").read_text()
    (tmp_path / "consumer.py").write_text(page.split("```python\n")[1].split("```")[0])

    bag = DagBag(str(tmp_path))

    assert bag.import_errors == {}
    timetable = bag.dags["after_weixin"].timetable
    assert isinstance(timetable, PartitionedAssetTimetable)
    assert [timetable.asset_condition] == dag.get_task("report").outlets


def test_check_waits_for_ingest_itself(dag):
    """When only the failed tasks are cleared, the green report between them is not."""
    assert dag.get_task("check").upstream_task_ids == {"ingest", "report"}


@pytest.mark.usefixtures("airflow")
def test_a_task_that_calls_wechat_takes_one_slot(monkeypatch):
    """Whatever it calls at once: more slots than the pool has would be waited for without end."""
    monkeypatch.setenv("AIRFLOW__WEIXIN__CONCURRENCY", "32")

    dag = parsed()

    slots = {task.task_id: (task.pool, task.pool_slots) for task in dag.tasks}
    assert slots == {
        "refresh_access_token": ("weixin_api", 1),
        "plan": ("default_pool", 1),
        "ingest": ("weixin_api", 1),
        "report": ("default_pool", 1),
        "check": ("default_pool", 1),
    }


@pytest.mark.usefixtures("airflow")
def test_each_task_ends_and_is_tried_again_as_the_settings_say(monkeypatch):
    """A task that hangs is stopped; tries and their delay come from [weixin]."""
    monkeypatch.setenv("AIRFLOW__WEIXIN__RETRIES", "5")
    monkeypatch.setenv("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "77")

    dag = parsed()

    assert {task.task_id: task.execution_timeout for task in dag.tasks} == {
        "refresh_access_token": timedelta(hours=1),
        "plan": timedelta(minutes=10),
        "ingest": timedelta(hours=2),
        "report": timedelta(minutes=10),
        "check": timedelta(minutes=10),
    }
    assert {task.retries for task in dag.tasks} == {5}
    assert {task.retry_policy.delay_seconds for task in dag.tasks} == {77}
    assert {task.retry_delay for task in dag.tasks} == {timedelta(seconds=77)}  # after a kill


def test_it_survives_serialisation(dag):
    """The scheduler knows the DAG by its serialised form only: when it runs, and what it asks."""
    from airflow.serialization.serialized_objects import DagSerialization

    again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))

    assert sorted(again.task_dict) == sorted(TASKS)
    assert again.timetable.summary == "30 8 * * *"
    assert str(dag.timetable.timezone) == "Asia/Shanghai"
    assert (again.catchup, again.max_active_runs) == (False, 3)
    assert again.params.dump() == {
        "begin_date": None,
        "end_date": None,
        "accounts": None,
        "refetch": False,
        "dry_run": False,
    }
    assert again.task_dict["ingest"].is_mapped
    assert "task.op_kwargs['batch']" in again.task_dict["ingest"].map_index_template
    outlets = {
        name: [asset.name for asset in task.outlets]
        for name, task in again.task_dict.items()
        if not task.is_mapped
    }
    assert outlets == {"refresh_access_token": [], "plan": [], "report": [DAG_ID], "check": []}
