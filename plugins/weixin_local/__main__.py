"""`python -m weixin_local`: what `make run`, `up`, `airflow`, `etl`, `psql`, … start."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from weixin_etl import cli
from weixin_local import home, machine, postgres
from weixin_local import run as the_run
from weixin_local import up as the_up
from weixin_local.machine import LocalError, say
from weixin_sandbox import Scenario

PROGRAMS = ("airflow", "weixin-etl", "psql")
ANALYSTS_FIRST = "&options=-csearch_path%3Danalytics,weixin,public"
TERMINALS = {"TERMINFO_DIRS": "/etc/terminfo:/lib/terminfo:/usr/share/terminfo"}
"""The wheel's `psql` was built on a machine that keeps its terminals elsewhere."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. What goes wrong is one sentence on stderr."""
    return cli.run_command(_parser().parse_args(argv))


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


def beside_up(options: argparse.Namespace) -> int:
    """Run a program with the databases of `up`, running or not; a sandbox is the program's own."""
    found = home.find()
    with home.opened(found) as source:
        folders = Path(sys.executable).parent, postgres.embedded(), os.environ["PATH"]
        own = {"PATH": ":".join(map(str, folders)), **TERMINALS}
        environment = home.airflow_environment(found, source) | own
        url = source.warehouse_url.replace("+psycopg2", "") + ANALYSTS_FIRST
        to = [url] if options.program == "psql" else []
        return machine.at_the_terminal([options.program, *to, *options.rest], environment)


def reset(_: argparse.Namespace) -> None:
    """Take away everything that these commands keep, figures and all, after asking."""
    found = home.find()
    say(f"This deletes {found.state}, with every figure in it.\nType yes to go on:")
    if sys.stdin.readline().strip() != "yes":
        raise LocalError("Nothing was deleted.")
    with the_up.alone(found, 0):
        found.server.stop()
        shutil.rmtree(found.state)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="weixin-local", description="The whole pipeline on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    what = "what goes wrong at the sandbox: sandbox/README.md"
    for command in (run, up):
        add = cli.add_command(commands, command).add_argument
        add("--scenario", type=Scenario, nargs=1, default=(), metavar="NAME", help=what)
    add("--port", type=int, default=home.DEFAULT_PORT, help="of the UI (default: %(default)s)")
    for program in PROGRAMS:  # what begins with a dash is the program's own option
        about = beside_up.__doc__
        beside = commands.add_parser(program, help=about, prefix_chars="\0", add_help=False)
        beside.add_argument("rest", nargs="*")
        beside.set_defaults(command=beside_up, program=program)
    cli.add_command(commands, reset)
    return parser


if __name__ == "__main__":
    sys.exit(main())
