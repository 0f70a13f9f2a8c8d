"""The sandbox on the command line: `python -m weixin_sandbox`."""

import argparse
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from random import Random
from typing import Any

from weixin_sandbox.accounts import DEFAULT_ACCOUNT, DEFAULT_COMPONENT, Account, Component
from weixin_sandbox.effects import EFFECTS, NUMBERED
from weixin_sandbox.sandbox import Sandbox
from weixin_sandbox.scenarios import CallKind, Scenario
from weixin_sandbox.titles import account_name

_LAST_PORT = 65_535
_NAMED_AUTHORIZERS = 10
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
        component=options.component or DEFAULT_COMPONENT,
        token_service_bearer=options.token_service_bearer,
    )
    for account in [*options.authorizer, *_made_up(options.authorizers)]:
        sandbox.component.authorize(account)
    for scenario in sandbox.scenarios:
        if scenario.account not in (None, sandbox.component.appid, *sandbox.accounts):
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
        greeting = _greeting(sandbox, url)
        if options.component or options.authorizer or options.authorizers:
            greeting += _component_greeting(sandbox)
        sys.stdout.write(greeting)
        sys.stdout.flush()
        stop.wait()
    return 0


def _greeting(sandbox: Sandbox, url: str) -> str:
    lines = ["This is a sandbox, not WeChat: every figure it answers is made up.", f"url     {url}"]
    for account in sandbox.accounts.values():
        if account.secret:
            appid = f"appid   {account.appid}  {account.name}".rstrip()
            lines += [appid, f"secret  {account.secret}"]
    return "\n".join(lines) + "\n"


def _component_greeting(sandbox: Sandbox) -> str:
    component = sandbox.component
    total, first = component.page(0, _NAMED_AUTHORIZERS)
    lines = [
        f"component   {component.appid}",
        f"secret      {component.secret}",
        f"ticket      {component.ticket()}",
        *(f"authorizer  {one.appid}  {sandbox.accounts[one.appid].name}".rstrip() for one in first),
    ]
    if total > len(first):
        lines.append(f"            and {total - len(first)} more")
    return "\n".join(lines) + "\n"


def _made_up(count: int) -> Iterator[Account]:
    """So many accounts without a secret, the same in every process."""
    for number in range(1, count + 1):
        random = Random(number)  # noqa: S311 - made-up names, not keys
        yield Account(f"wx{number:016x}", name=account_name(random))


def _parser() -> argparse.ArgumentParser:
    sentences = {name: effect.sentence for name, effect in EFFECTS.items()} | NUMBERED
    scenarios = [f"  {name:16}{sentence}" for name, sentence in sentences.items()]
    parser = argparse.ArgumentParser(
        prog="python -m weixin_sandbox",
        description="A stand-in for the WeChat API on 127.0.0.1, with made-up figures.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(
            [
                "scenarios:",
                *scenarios,
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
    parser.add_argument(
        "--component",
        type=_component,
        metavar="APPID:SECRET",
        help="the third-party platform that authorizers authorise",
    )
    parser.add_argument(
        "--authorizer",
        type=_authorizer,
        action="append",
        default=[],
        metavar="APPID[:NAME]",
        help="an account that authorised the component; may be given several times",
    )
    parser.add_argument(
        "--authorizers", type=_count, default=0, metavar="N", help="so many made-up ones"
    )
    parser.add_argument(
        "--token-service-bearer", metavar="TOKEN", help="what /token-service wants to be sent"
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


def _component(text: str) -> Component:
    appid, _, secret = text.partition(":")
    if not appid or not secret:
        raise argparse.ArgumentTypeError(f"{appid!r} is not APPID:SECRET")
    return Component(appid, secret)


def _authorizer(text: str) -> Account:
    appid, _, name = text.partition(":")
    if not appid:
        raise argparse.ArgumentTypeError(f"{text!r} is not APPID[:NAME]")
    return Account(appid, name=name)


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of accounts")
    return int(text)


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
