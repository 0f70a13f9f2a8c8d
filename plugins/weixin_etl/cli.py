"""
The command line `weixin-etl`.

Each command is a function that receives the parsed options and returns its exit code, or None for
0. It imports the modules that it needs when it runs.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from datetime import date
from pathlib import Path
from typing import Any

from weixin_etl import __version__
from weixin_etl.datasets import DATASETS, FOLLOWER_TOTAL
from weixin_etl.problem import OperatorError
from weixin_etl.text import one_line


def _day(text: str) -> date:
    """Return the date of a command-line argument; raise ArgumentTypeError if it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-11-24") from None


_ACCOUNTS: dict[str, Any] = {"nargs": "+", "default": (), "metavar": "ACCOUNT"}
_DAY: dict[str, Any] = {"type": _day, "metavar": "YYYY-MM-DD"}


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run a command of `weixin-etl` and return its exit code, as `run_command` describes.

    Every command but `dag` reads connections and Variables from Airflow's database.

    Args:
        argv: the arguments; None for those of the process.

    Raises:
        SystemExit: the arguments are wrong, or ask for help or the version.
    """
    options = _parser().parse_args(argv)
    if options.command is dag:  # this command works without Airflow
        return run_command(options)
    from weixin_etl.orchestration.commands.outside import read_from_airflows_database

    return run_command(options, before=read_from_airflows_database)


def _parser() -> argparse.ArgumentParser:
    """Return the parser of all commands. Its result has the function of one as `command`."""
    parser = argparse.ArgumentParser(
        prog="weixin-etl", description="WeChat article statistics in Postgres, on Airflow."
    )
    parser.add_argument("--version", action="version", version=f"weixin-etl {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = add_command(commands, migrate_command).add_argument
    add("--print", metavar="VIEW", help="only print what Postgres gets for a view or function")
    add = add_command(commands, probe).add_argument
    default = [dataset.name for dataset in DATASETS.values() if not dataset.is_optional]
    choice = f"of {', '.join(DATASETS)} (default: {' '.join(default)})"
    add("--accounts", **_ACCOUNTS, help="AppIDs or connection ids (default: all)")
    add("--datasets", nargs="+", default=default, choices=DATASETS, metavar="DATASET", help=choice)
    add = add_command(commands, status).add_argument
    add("--dataset", choices=DATASETS, help="default: all")
    add = add_command(commands, digest).add_argument
    add("--date", **_DAY, help="the day whose figures are told, in Beijing (default: yesterday)")
    add("--language", choices=("en", "zh-CN"), help="default: the setting language")
    add = add_command(commands, export).add_argument
    add("file", help="its ending says the format: .xlsx, .csv or .jsonl; - is standard output")
    add("--begin", **_DAY, required=True, help="first day, in Beijing")
    add("--end", **_DAY, required=True, help="last day")
    add("--accounts", **_ACCOUNTS, help="AppIDs, connection ids or names (default: all)")
    add("--format", choices=("xlsx", "csv", "jsonl"), help="needed for standard output")
    names = ("account_day", "article", "article_day", FOLLOWER_TOTAL.name)
    choice = f"of {', '.join(names)} (default: all in .xlsx, account_day in .csv and .jsonl)"
    add("--tables", nargs="+", choices=names, metavar="TABLE", help=choice)
    add("--language", choices=("en", "zh-CN"), help="of .xlsx and .csv (default: the setting)")
    add("--bom", action="store_true", help="begin .csv with a byte order mark, for Excel")
    _add_kept_answers_commands(commands)
    return parser


def _add_kept_answers_commands(commands: Any) -> None:
    """Add the commands `answers`, `replay`, `import` and `prune` for kept answers, and `dag`."""
    parser = add_command(commands, answers_command)
    add = parser.add_argument
    add("account", help="its AppID, its connection's id, or its name")
    add("publication_day", **_DAY)
    add("--dataset", choices=DATASETS, default=next(iter(DATASETS)), help="default: %(default)s")
    add = parser.add_mutually_exclusive_group().add_argument
    add("--list", action="store_true", help="list the distinct answers instead")
    add("--id", type=int, help="one of the list (default: the one seen last)")
    add = add_command(commands, replay).add_argument
    add("dataset", choices=DATASETS)
    add("--accounts", **_ACCOUNTS, help="AppIDs, connection ids or names (default: all)")
    add("--begin", **_DAY, help="first day to replay, in Beijing (default: the first kept)")
    add("--end", **_DAY, help="last day to replay (default: the last kept)")
    add("--apply", action="store_true", help="write the difference")
    add_command(commands, import_command).add_argument("file", nargs="+", type=Path)
    help_ = "remove them; otherwise only say how many there are"
    add_command(commands, prune).add_argument("--apply", action="store_true", help=help_)
    add_command(commands, dag)


def migrate_command(options: argparse.Namespace) -> None:
    """Bring the warehouse's tables, roles and views to this release."""
    from weixin_etl import warehouse
    from weixin_etl.orchestration.connections.warehouse import open_warehouse

    view = options.print
    output = warehouse.view_sql(view) if view else warehouse.migrate(open_warehouse().url)
    sys.stdout.write(f"{output or 'The warehouse is up to date.'}\n")


def probe(options: argparse.Namespace) -> int:
    """Ask WeChat whether the pipeline will work for each account: exit code 0, 1, 2 if unknown."""
    from weixin_etl.orchestration.commands.probe import show_probe

    datasets = [dataset for name, dataset in DATASETS.items() if name in options.datasets]
    return show_probe(options.accounts, datasets)


def status(options: argparse.Namespace) -> int:
    """Print how far figures are in, and problems; exit code 0, 1, 2 (can't read), 3 (retried)."""
    from weixin_etl.orchestration.commands.status import show_status

    return show_status([DATASETS[options.dataset]] if options.dataset else [*DATASETS.values()])


def digest(options: argparse.Namespace) -> None:
    """Print the message of a day that the DAG weixin_digest sends; it sends nothing."""
    from weixin_etl.orchestration.commands.delivered import print_digest

    print_digest(options.date, options.language or "")


def export(options: argparse.Namespace) -> None:
    """Write the figures of a period into a file for Excel (.xlsx), or a table as .csv or .jsonl."""
    from weixin_etl.orchestration.commands.delivered import export_file

    export_file(options)


def answers_command(options: argparse.Namespace) -> None:
    """Print WeChat's exact answer for an account and a day; on a terminal, printable text only."""
    from weixin_etl.orchestration.commands import kept

    kept.print_answers(options)


def replay(options: argparse.Namespace) -> None:
    """Rebuild facts from the kept answers, without a call; shows the difference unless --apply."""
    from weixin_etl.orchestration.commands import kept

    kept.print_replay(options)


def prune(options: argparse.Namespace) -> None:
    """Remove the bytes of answers of final days, older than the setting keep_answers_days."""
    from weixin_etl.orchestration.commands import kept

    kept.print_prune(options)


def import_command(options: argparse.Namespace) -> int:
    """Load answers that another program kept: files of JSON lines, or - for standard input."""
    from weixin_etl.orchestration.commands import kept

    return kept.print_import(options)


def dag(_: argparse.Namespace) -> None:
    """Print the file of the DAGs, for the DAG folder of another Airflow."""
    packaged = Path(__file__).parent / "dags"
    folder = packaged if packaged.is_dir() else Path(__file__).parents[2] / "dags"
    sys.stdout.write((folder / "weixin_article_statistics.py").read_text(encoding="utf-8"))


def add_command(commands: Any, command: Any) -> argparse.ArgumentParser:
    """
    Add a command to the sub-parsers and return its parser, to which arguments can be added.

    Args:
        commands: what argparse's `add_subparsers` returned.
        command: the function. Its name without `_command` is the command's, and its docstring is
            the help text. Parsed options have the function as `command`.
    """
    name, doc = command.__name__.removesuffix("_command"), command.__doc__
    parser: argparse.ArgumentParser = commands.add_parser(name, help=doc, description=doc)
    parser.set_defaults(command=command)
    return parser


def run_command(options: argparse.Namespace, before: Callable[[], None] = lambda: None) -> int:
    """
    Call `before` and then the command with its options, and return the exit code.

    The code is what the command returned, or 0 for None. An OperatorError of either is printed as
    lines on stderr, with exit code 1. Ctrl-C, SIGTERM and SIGHUP end the command with exit code
    130, except for a SIGTERM or SIGHUP that the process ignores. A reader of the output that ends
    first, as `head` does, ends it with 141. Other errors are raised.

    Args:
        options: the parsed options, with the command's function as `command`.
        before: a function that prepares the process. What it prints on stdout goes to stderr.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, signal.default_int_handler)  # end the command as Ctrl-C does
    try:
        with redirect_stdout(sys.stderr):  # Airflow's log lines are not output
            before()
        code = int(options.command(options) or 0)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the exit
        return 141
    except KeyboardInterrupt:
        sys.stderr.write("weixin-etl: stopped.\n")
        return 130
    except OperatorError as error:
        for sentence in str(error).splitlines():
            sys.stderr.write(f"weixin-etl: {one_line(sentence)}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
