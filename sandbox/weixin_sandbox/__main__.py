"""The sandbox on the command line: `python -m weixin_sandbox`."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date

from weixin_sandbox.accounts import DEFAULT_ACCOUNT, Account
from weixin_sandbox.effects import EFFECTS
from weixin_sandbox.sandbox import Sandbox
from weixin_sandbox.scenarios import ANY_ERRCODE, CallKind, Scenario

_LAST_PORT = 65_535
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 1 when the port cannot be bound."""
    parser = _parser()
    options = parser.parse_args(argv)
    sandbox = Sandbox(
        accounts=options.account or [DEFAULT_ACCOUNT],
        seed=options.seed,
        today=options.today,
        latency_seconds=options.latency,
        scenarios=options.scenario,
    )
    for scenario in sandbox.scenarios:
        if scenario.account not in (None, *sandbox.accounts):
            parser.error(f"--scenario {scenario.name}: there is no account {scenario.account}")
    with ExitStack() as stack:
        stop = stack.enter_context(_stop_signal())
        try:
            url = stack.enter_context(sandbox.serve(options.port))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            sys.stderr.write(
                f"The sandbox cannot listen on port {options.port} ({reason}): "
                "free it or choose another with --port.\n"
            )
            return 1
        sys.stdout.write(_greeting(sandbox, url))
        sys.stdout.flush()
        stop.wait()
    return 0


def _greeting(sandbox: Sandbox, url: str) -> str:
    lines = ["This is a sandbox, not WeChat: every figure it answers is made up.", f"url     {url}"]
    for account in sandbox.accounts.values():
        lines += [f"appid   {account.appid}  {account.name}".rstrip(), f"secret  {account.secret}"]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    scenarios = [f"  {name:16}{effect.sentence}" for name, effect in EFFECTS.items()]
    parser = argparse.ArgumentParser(
        prog="python -m weixin_sandbox",
        description="A stand-in for the WeChat API on 127.0.0.1, with made-up figures.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(
            [
                "scenarios:",
                *scenarios,
                f"  {ANY_ERRCODE:16}Any other refusal, by its number.",
                f"  {CallKind.TOKEN.prefix + 'NAME':16}A failure or errcode:N on the token call.",
                f"  {CallKind.QUOTA.prefix + 'NAME':16}The same on the call of quota/get.",
                f"  {CallKind.LIST.prefix + 'NAME':16}The same on api_get_authorizer_list.",
                f"  {CallKind.INFO.prefix + 'NAME':16}The same on api_get_authorizer_info.",
            ]
        ),
    )
    parser.add_argument(
        "--port", type=_port, default=8077, help="0 takes a free one (default 8077)"
    )
    parser.add_argument(
        "--today", type=date.fromisoformat, metavar="YYYY-MM-DD", help="instead of Beijing's today"
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed, other figures")
    parser.add_argument(
        "--account",
        type=_account,
        action="append",
        metavar="APPID:SECRET[:NAME]",
        help="may be given several times",
    )
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="per call")
    parser.add_argument(
        "--scenario",
        type=_scenario,
        action="append",
        default=[],
        metavar="NAME[:account=APPID,day=YYYY-MM-DD,times=N,endpoint=ENDPOINT]",
        help="what goes wrong; may be given several times",
    )
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to {_LAST_PORT}")
    return int(text)


def _account(text: str) -> Account:
    appid, _, rest = text.partition(":")
    secret, _, name = rest.partition(":")
    if not appid or not secret:
        raise argparse.ArgumentTypeError(f"{appid!r} is not APPID:SECRET[:NAME]")
    return Account(appid, secret, name)


def _scenario(text: str) -> Scenario:
    name, _, tail = text.rpartition(":")
    if "=" not in tail:
        name, tail = text, ""
    options = dict(part.partition("=")[::2] for part in tail.split(",") if part)
    try:
        scenario = Scenario(
            name,
            account=options.pop("account", None),
            day=date.fromisoformat(options.pop("day")) if "day" in options else None,
            times=int(options.pop("times")) if "times" in options else None,
            endpoint=options.pop("endpoint", None),
        )
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if options:
        raise argparse.ArgumentTypeError(f"unknown options: {', '.join(options)}")
    return scenario


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the handlers before it come back at the end."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
