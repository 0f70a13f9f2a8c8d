"""The command line `weixin-etl`. Each command imports what it needs when it runs."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from datetime import date
from pathlib import Path

from weixin_etl import __version__
from weixin_etl.datasets import DATASETS
from weixin_etl.json_text import one_line, shown

INTERRUPTED = 130
"""The exit code of a command that was ended by Ctrl-C."""

Command = Callable[[argparse.Namespace], int | None]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code. An error is one sentence on stderr."""
    parser = argparse.ArgumentParser(
        prog="weixin-etl", description="WeChat article statistics in Postgres, on Airflow."
    )
    parser.add_argument("--version", action="version", version=f"weixin-etl {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_command(commands, migrate)
    add_plan(commands, plan)
    add_status(commands)
    add_unwanted(commands)
    add_answers(commands)
    add_replay(commands)
    add_rejected(commands)
    add_import(commands)
    add_dictionary(commands)
    return run_command(parser, argv, before=read_airflows_database)


def read_airflows_database() -> None:
    """Let the command find the connections and Variables that were made in Airflow's UI."""
    from weixin_etl.orchestration.commands.outside import read_from_airflows_database

    if trouble := read_from_airflows_database():
        sys.stderr.write(f"weixin-etl: {trouble}\n")


def migrate(_: argparse.Namespace) -> None:
    """Apply the migrations that the warehouse lacks, and update the analysts' views."""
    from weixin_etl import warehouse
    from weixin_etl.orchestration.warehouse import open_warehouse

    url = open_warehouse().url
    sys.stdout.write(f"{warehouse.migrate(url) or 'The warehouse is up to date.'}\n")
    if missing := warehouse.missing_roles(url):
        sys.stdout.write(f"{warehouse.ask_for_roles(missing)}\n")


def plan(options: argparse.Namespace) -> None:
    """Show what a run of today would ask WeChat for."""
    from weixin_etl.orchestration.commands.plan import show_plan

    show_plan(
        DATASETS[options.dataset], options.begin_date, options.end_date, refetch=options.refetch
    )


def status(options: argparse.Namespace) -> int:
    """Say whether figures are coming in: a line per problem; exit code 0, 1, or 2 if unknown."""
    from weixin_etl.orchestration.commands.status import show_status

    return show_status([it for it in DATASETS.values() if options.dataset in (None, it.name)])


def unwanted(options: argparse.Namespace) -> None:
    """Say that publication days that did not come in are not wanted, and so no problem."""
    import getpass

    from weixin_etl import clock
    from weixin_etl.model import accounts_are
    from weixin_etl.orchestration.warehouse import open_warehouse
    from weixin_etl.trouble.unwanted import say_unwanted

    count = say_unwanted(
        open_warehouse(),
        DATASETS[options.dataset],
        options.accounts,
        options.begin,
        options.end,
        said_at=clock.now(),
        said_by=getpass.getuser(),
    )
    sys.stdout.write(
        f"{accounts_are(count)} not expected to have {options.begin} to {options.end}, unless a "
        "later run asks for one of these days, as daily runs do within their reach.\n"
    )


def answers(options: argparse.Namespace) -> None:
    """Print WeChat's exact answer for an account and a day; on a terminal, printable text only."""
    from weixin_etl.kept.answers import answer_line, answers_of_pair
    from weixin_etl.model import ParameterError
    from weixin_etl.orchestration.warehouse import open_warehouse

    dataset = DATASETS[options.dataset]
    kept = answers_of_pair(open_warehouse(), dataset, options.account, options.publication_day)
    if options.list:
        sys.stdout.write("".join(f"{answer_line(answer)}\n" for answer in kept))
        return
    wanted = [it for it in kept if options.id in (None, it.raw_response_id)]
    if not wanted:
        raise ParameterError(f"{options.id} is not one of the answers that --list shows")
    body = wanted[-1].body
    if sys.stdout.isatty():
        body = shown(body.decode(errors="replace")).encode()
    sys.stdout.buffer.write(body)


def replay(options: argparse.Namespace) -> None:
    """Rebuild facts from the kept answers, without a call; shows the difference unless --apply."""
    from weixin_etl.kept.answers import Selection
    from weixin_etl.orchestration.commands.replay import show_replay

    selection = Selection(
        DATASETS[options.dataset],
        tuple(options.accounts),
        options.begin,
        options.end,
        options.rejected,
    )
    show_replay(selection, is_applied=options.apply)


def rejected(options: argparse.Namespace) -> None:
    """List the parts of answers that were rejected and are still open, by reason."""
    from weixin_etl.kept.rejected import open_reasons
    from weixin_etl.orchestration.warehouse import open_warehouse

    dataset = DATASETS[options.dataset] if options.dataset else None
    reasons = [f"{reason}\n" for reason in open_reasons(open_warehouse(), dataset, options.reason)]
    sys.stdout.write("".join(reasons) or "There is no rejected part.\n")


def import_(options: argparse.Namespace) -> int:
    """Load answers that another program kept: JSON lines, optionally compressed with gzip."""
    from weixin_etl.orchestration.commands.imports import show_import

    return show_import(options.file)


def dictionary(options: argparse.Namespace) -> None:
    """Print the data dictionary of the analysts' views: a line per column."""
    from weixin_etl.orchestration.warehouse import open_warehouse
    from weixin_etl.warehouse.dictionary import dictionary, write_csv, write_json

    write = {"csv": write_csv, "json": write_json}[options.format]
    write(dictionary(open_warehouse()), sys.stdout)


def add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    command: Command,
    *,
    passes_on: bool = False,
) -> argparse.ArgumentParser:
    """Add a command with its function's name and docstring; `passes_on` keeps unknown options."""
    parser: argparse.ArgumentParser = commands.add_parser(
        command.__name__.rstrip("_"),
        help=command.__doc__,
        description=command.__doc__,
        add_help=not passes_on,
    )
    parser.set_defaults(command=command, passes_on=passes_on)
    return parser


def add_plan(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", command: Command
) -> None:
    """Add the command `plan` with its options."""
    parser = add_command(commands, command)
    _add_dataset(parser)
    for flag, day in (("--begin-date", "first"), ("--end-date", "last")):
        parser.add_argument(
            flag, type=_day, metavar="YYYY-MM-DD", help=f"{day} publication day, in Beijing"
        )
    parser.add_argument("--refetch", action="store_true", help="ask for final days as well")


def add_status(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `status` with its options."""
    parser = add_command(commands, status)
    parser.add_argument("--dataset", choices=DATASETS, help="default: all")


def add_unwanted(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `unwanted` with its options."""
    parser = add_command(commands, unwanted)
    parser.add_argument("dataset", choices=DATASETS)
    _add_accounts(parser)
    for flag, day in (("--begin", "first"), ("--end", "last")):
        parser.add_argument(
            flag,
            type=_day,
            metavar="YYYY-MM-DD",
            required=True,
            help=f"{day} publication day, in Beijing",
        )


def add_answers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `answers` with its options."""
    parser = add_command(commands, answers)
    parser.add_argument("account", help="its AppID, its connection's id, or its name")
    parser.add_argument("publication_day", type=_day, metavar="YYYY-MM-DD")
    _add_dataset(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--list", action="store_true", help="list the distinct answers instead")
    which.add_argument("--id", type=int, help="one of the list (default: the one seen last)")


def add_replay(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `replay` with its options."""
    parser = add_command(commands, replay)
    parser.add_argument("dataset", choices=DATASETS)
    _add_accounts(parser)
    for flag, day in (("--begin", "first"), ("--end", "last")):
        parser.add_argument(
            flag,
            type=_day,
            metavar="YYYY-MM-DD",
            help=f"{day} publication day, in Beijing (default: the {day} there is)",
        )
    parser.add_argument(
        "--rejected", action="store_true", help="only days with open rejected parts"
    )
    parser.add_argument("--apply", action="store_true", help="write the difference")


def add_rejected(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `rejected` with its options."""
    parser = add_command(commands, rejected)
    parser.add_argument("--dataset", choices=DATASETS, help="default: all")
    parser.add_argument("--reason", metavar="TEXT", help="only reasons that contain this")


def add_import(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `import` with its options."""
    parser = add_command(commands, import_)
    parser.add_argument("file", nargs="+", type=Path)


def add_dictionary(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `dictionary` with its options."""
    parser = add_command(commands, dictionary)
    parser.add_argument("--format", choices=["csv", "json"], default="csv")


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset", choices=DATASETS, default=next(iter(DATASETS)), help="default: %(default)s"
    )


def _add_accounts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accounts",
        nargs="+",
        default=(),
        metavar="ACCOUNT",
        help="AppIDs, connection ids or names (default: all)",
    )


def run_command(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
    also: tuple[type[Exception], ...] = (),
    before: Callable[[], None] = lambda: None,
) -> int:
    """
    Call `before`, run the command that `argv` names, and return its exit code.

    Errors whose text is a sentence, including those in `also`, are printed without a traceback.
    """
    options, rest = parser.parse_known_args(argv)
    if rest and not options.passes_on:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _interrupt)
    command: Command = options.command
    try:
        with redirect_stdout(sys.stderr):  # what Airflow logs is not part of a command's output
            before()
        return command(options) or 0
    except KeyboardInterrupt:
        sys.stderr.write("weixin-etl: stopped.\n")
        return INTERRUPTED
    except Exception as error:
        if not isinstance(error, (*_sentences(), *also)):
            raise
        for sentence in str(error).splitlines():
            sys.stderr.write(f"weixin-etl: {one_line(sentence)}\n")
        return 1


def _interrupt(*_: object) -> None:
    """Let a command clean up what it started, as it does for Ctrl-C."""
    raise KeyboardInterrupt


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-11-24") from None


def _sentences() -> tuple[type[Exception], ...]:
    """The errors whose text is a sentence for the person typing."""
    from weixin_etl.api.errors import WeixinError
    from weixin_etl.model import ParameterError
    from weixin_etl.warehouse import WarehouseError

    return WarehouseError, ParameterError, WeixinError


if __name__ == "__main__":
    sys.exit(main())
