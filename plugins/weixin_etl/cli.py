"""`weixin-etl`: everything a person types. Each command imports what it needs when it runs."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from weixin_etl.datasets import DATASETS

if TYPE_CHECKING:
    from weixin_etl.local.progress import Steps

DEFAULT_PORT = 8080
INTERRUPTED = 130
"""What a shell calls a command that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. What goes wrong is one sentence on stderr."""
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and not options.passes_on:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _interrupt)
    command: Callable[[argparse.Namespace], int | None] = options.command
    try:
        return command(options) or 0
    except KeyboardInterrupt:
        sys.stderr.write("weixin-etl: stopped.\n")
        return INTERRUPTED
    except Exception as error:
        if not isinstance(error, _sentences()):
            raise
        for sentence in str(error).splitlines():
            sys.stderr.write(f"weixin-etl: {sentence}\n")
        return 1


def _interrupt(*_: object) -> None:
    """Let a command put away what it started, as it does for Ctrl-C."""
    raise KeyboardInterrupt


def run(_: argparse.Namespace) -> None:
    """Run the pipeline for today through Airflow, with progress and a summary."""
    from weixin_etl.local import home
    from weixin_etl.local.run import run

    run(home.find(), _steps())


def up(options: argparse.Namespace) -> None:
    """Start Airflow in the background."""
    from weixin_etl.local import home
    from weixin_etl.local.up import up

    up(home.find(), options.port, _steps())


def down(_: argparse.Namespace) -> None:
    """Stop everything that was started here."""
    from weixin_etl.local import home, stack

    found, steps = home.find(), _steps()
    with found.locked(steps.say):
        stopped = stack.stop(found)
    steps.say(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def migrate(_: argparse.Namespace) -> None:
    """Apply the migrations the warehouse lacks."""
    from weixin_etl.local import prepare

    steps = _steps()
    prepare.migrate_warehouse(prepare.open_warehouse(steps), steps)


def plan(options: argparse.Namespace) -> None:
    """Show what a run of today would ask WeChat for."""
    from weixin_etl.local.plan import show

    show(
        DATASETS[options.dataset],
        options.begin_date,
        options.end_date,
        refetch=options.refetch,
        steps=_steps(),
    )


def psql(options: argparse.Namespace) -> None:
    """Open the warehouse."""
    from weixin_etl.local.psql import psql

    psql(options.rest, _steps(stderr=True))  # the output is the answer's alone


def sandbox(options: argparse.Namespace) -> int:
    """Serve the stand-in for the WeChat API; its own --help lists the scenarios."""
    from weixin_sandbox.__main__ import main as serve

    return serve(options.rest)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="weixin-etl", description="WeChat article statistics in Postgres, on Airflow."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (run, up, down, migrate, plan, psql, sandbox):
        passes_on = command in (psql, sandbox)
        subparser = commands.add_parser(
            command.__name__,
            help=command.__doc__,
            description=command.__doc__,
            add_help=not passes_on,
        )
        subparser.set_defaults(command=command, passes_on=passes_on)
    _add_options_of_up(commands.choices["up"])
    _add_options_of_plan(commands.choices["plan"])
    return parser


def _add_options_of_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="of the UI (default: %(default)s)"
    )


def _add_options_of_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset", choices=DATASETS, default=next(iter(DATASETS)), help="default: %(default)s"
    )
    for flag, day in (("--begin-date", "first"), ("--end-date", "last")):
        parser.add_argument(
            flag, type=_day, metavar="YYYY-MM-DD", help=f"{day} publication day, in Beijing"
        )
    parser.add_argument("--refetch", action="store_true", help="ask for final days as well")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date like 2026-11-24") from None


def _steps(*, stderr: bool = False) -> "Steps":
    from rich.console import Console

    from weixin_etl.local.progress import Steps

    return Steps(Console(stderr=stderr))


def _sentences() -> tuple[type[Exception], ...]:
    """The errors whose text is a sentence for the person typing."""
    from weixin_etl.api.errors import WeixinError
    from weixin_etl.local.errors import LocalError
    from weixin_etl.run import ParameterError
    from weixin_etl.warehouse import WarehouseError

    return LocalError, WarehouseError, ParameterError, WeixinError


if __name__ == "__main__":
    sys.exit(main())
