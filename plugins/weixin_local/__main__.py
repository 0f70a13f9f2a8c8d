"""
The command line `python -m weixin_local`, which the Makefile's targets start.

`run` and `up` collect figures. `airflow`, `weixin-etl` and `psql` run with the same databases.
`reset` deletes everything.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from weixin_etl import cli
from weixin_local import home, machine, postgres
from weixin_local.machine import LocalError, say
from weixin_local.run import run_pipeline
from weixin_local.up import alone, run_airflow
from weixin_sandbox import Scenario

PROGRAMS = ("airflow", "weixin-etl", "psql")
ANALYSTS_FIRST = "&options=-csearch_path%3Danalytics,weixin,public"
"""The end of the URL for `psql`: tables need no schema, and views come first."""
TERMINALS = {"TERMINFO_DIRS": "/etc/terminfo:/lib/terminfo:/usr/share/terminfo"}
"""The terminal descriptions for the wheel's `psql`, which was built for other folders."""


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run a command of `weixin-local` and return its exit code, as `cli.run_command` describes.

    Raises:
        SystemExit: the arguments are wrong, or ask for help.
    """
    return cli.run_command(_parser().parse_args(argv))


def run(options: argparse.Namespace) -> None:
    """Run the pipeline for today and show the result."""
    found = home.find()
    with home.opened(found, options.scenario) as source:
        run_pipeline(found, source)


def up(options: argparse.Namespace) -> None:
    """Run Airflow with its UI until Ctrl-C."""
    found = home.find()
    with alone(found, options.port), home.opened(found, options.scenario) as source:
        run_airflow(found, source, options.port)


def beside_up(options: argparse.Namespace) -> int:
    """Run a program with the databases of `up`, whether `up` runs or not, and an own sandbox."""
    found = home.find()
    with home.opened(found) as source:
        folders = Path(sys.executable).parent, postgres.embedded(), os.environ["PATH"]
        additions = {"PATH": ":".join(map(str, folders)), **TERMINALS}
        environment = home.airflow_environment(found, source) | additions
        url = source.warehouse_url.replace("+psycopg2", "") + ANALYSTS_FIRST
        target = [url] if options.program == "psql" else []
        return machine.at_the_terminal([options.program, *target, *options.rest], environment)


def reset(_: argparse.Namespace) -> None:
    """Delete everything that these commands keep, figures included, after a question."""
    found = home.find()
    say(f"This deletes {found.state}, with every figure in it.\nType yes to go on:")
    if sys.stdin.readline().strip() != "yes":
        raise LocalError("Nothing was deleted.")
    with alone(found, 0):
        found.server.stop()
        shutil.rmtree(found.state)


def _parser() -> argparse.ArgumentParser:
    """Return the parser of all commands. Its result has the function of one as `command`."""
    parser = argparse.ArgumentParser(
        prog="weixin-local", description="The whole pipeline on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    effect = "what goes wrong at the sandbox: sandbox/README.md"
    for command in (run, up):
        add = cli.add_command(commands, command).add_argument
        add("--scenario", type=Scenario, nargs=1, default=(), metavar="NAME", help=effect)
    add("--port", type=int, default=home.DEFAULT_PORT, help="of the UI (default: %(default)s)")
    for program in PROGRAMS:  # arguments with a dash are options of the program
        doc = beside_up.__doc__
        subparser = commands.add_parser(program, help=doc, prefix_chars="\0", add_help=False)
        subparser.add_argument("rest", nargs="*")
        subparser.set_defaults(command=beside_up, program=program)
    cli.add_command(commands, reset)
    return parser


if __name__ == "__main__":
    sys.exit(main())
