"""`plan`: what a run would ask WeChat for, from the accounts and the warehouse of this machine."""

import argparse
import os

from weixin_etl import cli
from weixin_local import prepare
from weixin_local.account import CONNECTION_VARIABLE, configured_connection, sandbox_connection
from weixin_local.environment import airflow_environment
from weixin_local.home import find
from weixin_local.progress import Steps

NOWHERE = "http://127.0.0.1:9"
"""The sandbox need not be there: nothing is asked."""


def plan(options: argparse.Namespace, steps: Steps) -> None:
    """`weixin-etl plan` in the environment that `make run` would use."""
    url = prepare.open_warehouse(steps)
    if not os.environ.get(CONNECTION_VARIABLE):
        found = find()
        connection = configured_connection(found) or sandbox_connection(NOWHERE)
        os.environ.update(airflow_environment(found, connection, url))  # before Airflow's import
    cli.plan(options)
