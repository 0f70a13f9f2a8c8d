"""`python -m weixin_local`: what `make run`, `up`, `airflow`, `etl`, `psql`, … start."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence

from weixin_etl import cli
from weixin_local import home, machine, postgres
from weixin_local import run as the_run
from weixin_local import up as the_up
from weixin_local.home import CONNECTION_VARIABLE, DEFAULT_PORT
from weixin_local.machine import LocalError, say

TERMINALS = {"TERMINFO_DIRS": "/etc/terminfo:/lib/terminfo:/usr/share/terminfo"}
"""The wheel's `psql` was built on a machine that keeps its terminals elsewhere."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. What goes wrong is one sentence on stderr."""
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    options.rest = rest
    if rest and options.command not in _PASSING_ON:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return cli.run_command(options)


def run(options: argparse.Namespace) -> None:
    """Run the pipeline for today and show what came of it."""
    found = home.find()
    with home.opened(found, options.scenario) as source:
        the_run.run(found, source)


def up(options: argparse.Namespace) -> None:
    """Run Airflow with its UI until Ctrl-C."""
    found = home.find()
    with the_up.alone(found, options.port), home.opened(found, options.scenario) as source:
        the_up.up(found, source, options.port)


def airflow(options: argparse.Namespace) -> int:
    """Run a command of Airflow's own, like `airflow dags list`, beside `up`."""
    return _beside_up(options, "airflow")


def etl(options: argparse.Namespace) -> int:
    """Run a command of the product's, like `weixin-etl status`, beside `up`."""
    return _beside_up(options, "weixin_etl.cli")


def probe(options: argparse.Namespace) -> int:
    """Ask WeChat whether the pipeline will work for the account in .env; needs no Airflow."""
    found = home.find()
    connection = home.configured_connection(found)
    if connection is None:
        raise LocalError(
            "No account is configured: fill in WEIXIN_APPID and WEIXIN_SECRET in .env."
        )
    own = {CONNECTION_VARIABLE: connection, "AIRFLOW_HOME": str(found.state / "probe")}
    command = [sys.executable, "-m", "weixin_etl.cli", "probe", *options.rest]
    return machine.at_the_terminal(command, {**os.environ, **own})


def psql(options: argparse.Namespace) -> int:
    """Open the warehouse in psql, with the analysts' schema first in the search path."""
    with home.opened(home.find()) as source:
        url = source.warehouse_url.replace("+psycopg2", "")
        schemas = {"PGOPTIONS": "-c search_path=analytics,weixin,public"}
        command = [str(postgres.embedded() / "psql"), url, *options.rest]
        return machine.at_the_terminal(command, {**TERMINALS, **schemas, **os.environ})


def reset(_: argparse.Namespace) -> None:
    """Take away everything that these commands keep, figures and all, after asking."""
    found = home.find()
    folders = dict.fromkeys((found.state, found.server.directory))
    say("This deletes, with every figure in it: " + " and ".join(map(str, folders)))
    if input("Type yes to go on: ") != "yes":
        raise LocalError("Nothing was deleted.")
    with the_up.alone(found, 0):
        found.server.destroy()
        shutil.rmtree(found.state)


def _beside_up(options: argparse.Namespace, module: str) -> int:
    found = home.find()
    with home.opened(found) as source:
        environment = the_up.environment_of(found, source, DEFAULT_PORT)
        command = [sys.executable, "-m", module, *options.rest]
        return machine.at_the_terminal(command, environment)


_PASSING_ON = (airflow, etl, probe, psql)
"""Commands that hand their options on."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="weixin-local", description="The whole pipeline on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (run, up, airflow, etl, probe, psql, reset):
        cli.add_command(commands, command, add_help=command not in _PASSING_ON)
    what = "what goes wrong at the sandbox: sandbox/README.md"
    for name in ("run", "up"):
        commands.choices[name].add_argument("--scenario", metavar="NAME", help=what)
    add = commands.choices["up"].add_argument
    add("--port", type=int, default=DEFAULT_PORT, help="of the UI (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
