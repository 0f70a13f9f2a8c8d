"""The sandbox on the command line: `python -m weixin_sandbox`."""

import argparse
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from typing import Any

from weixin_sandbox.accounts import DEFAULT_ACCOUNT, Account
from weixin_sandbox.app import Sandbox
from weixin_sandbox.effects import EFFECTS, NUMBERED
from weixin_sandbox.scenarios import CallKind, Scenario

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
        if scenario.account not in (None, sandbox.component.appid, *sandbox.accounts):
            parser.error(f"--scenario {scenario.name}: there is no account {scenario.account}")
    # before a thread is started: it would not wait for them otherwise
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    with ExitStack() as stack:
        try:
            url = stack.enter_context(sandbox.serve(options.port))
        except (OSError, OverflowError) as error:
            sys.stderr.write(
                f"The sandbox cannot listen on port {options.port} ({error}): "
                "free it or choose another with --port.\n"
            )
            return 1
        sys.stdout.write(_greeting(sandbox, url))
        sys.stdout.flush()
        signal.sigwait(_STOP_SIGNALS)
    return 0


def _greeting(sandbox: Sandbox, url: str) -> str:
    lines = ["This is a sandbox, not WeChat: every figure it answers is made up.", f"url     {url}"]
    for account in sandbox.accounts.values():
        appid = f"appid   {account.appid}  {account.name}".rstrip()
        lines += [appid, f"secret  {account.secret}"]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    sentences = {name: effect.sentence for name, effect in EFFECTS.items()} | NUMBERED
    scenarios = [f"  {name:17}{sentence}" for name, sentence in sentences.items()]
    parser = argparse.ArgumentParser(
        prog="python -m weixin_sandbox",
        description="A stand-in for the WeChat API on 127.0.0.1, with made-up figures.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(
            [
                "scenarios:",
                *scenarios,
                f"  {CallKind.TOKEN.prefix + 'NAME':17}A failure or errcode:N on the token call.",
                f"  {CallKind.QUOTA.prefix + 'NAME':17}The same on the call of quota/get.",
                f"  {CallKind.LIST.prefix + 'NAME':17}The same on api_get_authorizer_list.",
                f"  {CallKind.INFO.prefix + 'NAME':17}The same on api_get_authorizer_info.",
            ]
        ),
    )
    parser.add_argument("--port", type=int, default=8077, help="0 takes a free one (default 8077)")
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
        metavar="NAME[:KEY=VALUE,…]",
        help="what goes wrong; may be given several times. Keys: account (an AppID), day and "
        "last_day (YYYY-MM-DD), times, endpoint, asked_from and asked_before (YYYY-MM-DD, or an "
        "instant such as 2026-11-24T08:30:00+08:00)",
    )
    return parser


def _account(text: str) -> Account:
    appid, _, rest = text.partition(":")
    secret, _, name = rest.partition(":")
    if not appid or not secret:
        raise argparse.ArgumentTypeError(f"{appid!r} is not APPID:SECRET[:NAME]")
    return Account(appid, secret, name)


def _scenario(text: str) -> Scenario:
    name, *tail = re.split(r":(?=[a-z_]+=)", text, maxsplit=1)
    options = dict(part.partition("=")[::2] for part in ",".join(tail).split(",") if part)
    if unknown := set(options) - set(_SCENARIO_OPTIONS):
        raise argparse.ArgumentTypeError(f"unknown options: {', '.join(sorted(unknown))}")
    try:
        return Scenario(name, **{key: _SCENARIO_OPTIONS[key](options[key]) for key in options})
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _day_or_instant(text: str) -> date:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


_SCENARIO_OPTIONS: dict[str, Callable[[str], Any]] = {
    "account": str,
    "day": date.fromisoformat,
    "last_day": date.fromisoformat,
    "times": int,
    "endpoint": str,
    "asked_from": _day_or_instant,
    "asked_before": _day_or_instant,
}


if __name__ == "__main__":
    sys.exit(main())
