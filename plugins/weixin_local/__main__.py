"""`python -m weixin_local`: what `make run`, `up`, `down`, `airflow`, `etl`, `psql`, … start."""

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from weixin_etl import cli
from weixin_local import databases, home, stack
from weixin_local.environment import DEFAULT_PORT
from weixin_local.progress import Steps


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. What goes wrong is one sentence on stderr."""
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and options.command not in _PASSING_ON:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    return cli.run_command(options)


def run(_: argparse.Namespace) -> None:
    """Run the pipeline for today through Airflow, with progress and a summary."""
    from weixin_local.run import run

    run(home.find(), _steps())


def up(options: argparse.Namespace) -> None:
    """Start Airflow in the background."""
    stack.up(home.find(), options.port, _steps())


def down(_: argparse.Namespace) -> None:
    """Stop everything that was started here."""
    found, steps = home.find(), _steps()
    with found.locked(steps.say):
        stopped = stack.stop(found)
    steps.say(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def airflow(options: argparse.Namespace) -> None:
    """Run a command of Airflow's own, like `airflow dags list`, on what `up` has started."""
    stack.run_command(home.find(), "airflow", options.rest)


def etl(options: argparse.Namespace) -> None:
    """Run a command of the product's, like `weixin-etl status`, on what `up` has started."""
    stack.run_command(home.find(), "weixin_etl.cli", options.rest)


def probe(options: argparse.Namespace) -> None:
    """Ask WeChat whether the pipeline will work for the account in .env; needs no Airflow."""
    stack.probe(home.find(), options.rest, _steps())


def migrate(_: argparse.Namespace) -> None:
    """Apply the migrations the warehouse lacks."""
    steps = _steps()
    databases.migrate_warehouse(databases.open_warehouse(steps), steps)


def psql(options: argparse.Namespace) -> None:
    """Open the warehouse."""
    databases.psql(options.rest, _steps(stderr=True))  # the output is the answer's alone


_PASSING_ON = (airflow, etl, probe, psql)
"""Commands that hand their options on."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="weixin-local", description="The whole pipeline on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (run, up, down, airflow, etl, probe, migrate, psql):
        cli.add_command(commands, command, add_help=command not in _PASSING_ON)
    commands.choices["up"].add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="of the UI (default: %(default)s)"
    )
    return parser


def _steps(*, stderr: bool = False) -> Steps:
    return Steps(Console(stderr=stderr))


if __name__ == "__main__":
    sys.exit(main())
