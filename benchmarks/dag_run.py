"""
What a whole run of the DAG takes for one account, and where the time goes.

    python benchmarks/dag_run.py

Starts Airflow with its scheduler, and a sandbox that answers after 100 ms, in a folder of its own.
Runs the DAG twice and prints for each task how long it waited for its turn and how long it worked;
then profiles the ingest of the same days by itself, into a fresh database.
"""

import cProfile
import os
import pstats
import tempfile
import time
from pathlib import Path

import sqlalchemy
from rich.console import Console

from weixin_etl import clock, warehouse
from weixin_etl.api.client import WeixinClient
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Account, ConfiguredAccount, Run
from weixin_etl.pipeline import Pipeline
from weixin_local import stack
from weixin_local.api import AirflowApi
from weixin_local.environment import CONNECTION_VARIABLE, admin_password, sandbox_connection
from weixin_local.home import METADATA_DATABASE, Home, find
from weixin_local.machine import choose_port
from weixin_local.progress import Steps
from weixin_local.stack import up
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

LATENCY_SECONDS = 0.1
POLL_SECONDS = 0.1
PROFILED = ("_require_one_time", "extract", "parse", "commit", "_land", "_merge_in", "_judge")
TIMELINE = sqlalchemy.text(
    """
    SELECT
        task_id,
        extract(epoch FROM scheduled_dttm - min(run.start_date) OVER ()) AS scheduled_at,
        extract(epoch FROM instance.start_date - scheduled_dttm) AS waited,
        extract(epoch FROM instance.end_date - instance.start_date) AS worked
    FROM task_instance AS instance
    INNER JOIN dag_run AS run USING (dag_id, run_id)
    WHERE run_id = :run_id
    ORDER BY instance.start_date
    """
)


def main() -> None:
    """Start everything, run twice, profile, stop."""
    os.environ["WEIXIN_HOME"] = tempfile.mkdtemp(prefix="weixin-bench-")
    home = find()
    with Sandbox(latency_seconds=LATENCY_SECONDS).serve() as base_url:
        os.environ[CONNECTION_VARIABLE] = sandbox_connection(base_url)
        port = choose_port()
        try:
            up(home, port, Steps(Console(stderr=True)))
            api = AirflowApi(port, admin_password(home))
            api.log_in()
            for title in ("first run", "second run"):
                run_once(home, api, title)
            profile_ingest(home, base_url)
        finally:
            stack.stop(home)
            home.server.destroy()


def run_once(home: Home, api: AirflowApi, title: str) -> None:
    """Trigger a run, wait for its end, print its wall time and its tasks."""
    metadata = warehouse.engine(home.server.url(METADATA_DATABASE))
    state = sqlalchemy.text("SELECT state FROM dag_run WHERE run_id = :run_id")
    began_at = time.perf_counter()
    run_id = api.trigger(ARTICLE_TOTAL.dag_id)
    while True:
        with metadata.connect() as connection:
            found = connection.execute(state, {"run_id": run_id}).scalar()
        if found in ("success", "failed"):
            break
        time.sleep(POLL_SECONDS)
    print(f"{title}: {time.perf_counter() - began_at:.1f} s, {found}")
    with metadata.connect() as connection:
        for row in connection.execute(TIMELINE, {"run_id": run_id}):
            print(
                f"  {row.task_id:22} scheduled at {row.scheduled_at:5.1f} s  "
                f"waited {row.waited:4.1f} s  worked {row.worked:4.1f} s"
            )


def profile_ingest(home: Home, base_url: str) -> None:
    """The ingest of a week by itself: cumulative seconds of its steps."""
    home.server.create_database("profile")
    url = home.server.url("profile")
    warehouse.migrate(url)
    run = Run("profile", ARTICLE_TOTAL, clock.beijing_date(clock.now()), is_scheduled=True)
    pipeline = Pipeline(run, warehouse.engine(url))
    known = DEFAULT_ACCOUNT
    account = Account("weixin_default", known.appid, known.secret, known.name, base_url)
    configured = ConfiguredAccount(account.conn_id, account.appid, account.name)
    (planned,) = pipeline.plan([configured], is_new=True).accounts
    profile = cProfile.Profile()
    began_at = time.perf_counter()
    profile.runcall(pipeline.ingest, [planned], lambda _: WeixinClient(account), by_itself=False)
    print(f"ingest of {len(planned.days)} days by itself: {time.perf_counter() - began_at:.2f} s")
    for (path, _, name), (_, calls, _, cumulative, _) in sorted(
        pstats.Stats(profile).stats.items(),  # type: ignore[attr-defined] # not in the stubs
        key=lambda entry: -entry[1][3],
    ):
        if name in PROFILED and "weixin_etl" in path:
            print(f"  {cumulative:6.2f} s  {calls:3} calls  {Path(path).stem}.{name}")


if __name__ == "__main__":
    main()
