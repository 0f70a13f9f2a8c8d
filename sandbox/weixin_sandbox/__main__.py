"""The sandbox on the command line: `python -m weixin_sandbox`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import date

from weixin_sandbox.app import Sandbox
from weixin_sandbox.scenarios import EFFECTS, Scenario

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 1 when the port cannot be bound."""
    options = _parser().parse_args(argv)
    sandbox = Sandbox(
        today=options.today, latency_seconds=options.latency, scenarios=options.scenario
    )
    # before a thread is started: it would not wait for them otherwise
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        with sandbox.serve(options.port) as url:
            sys.stdout.write(_greeting(sandbox, url))
            sys.stdout.flush()
            signal.sigwait(_STOP_SIGNALS)
    except (OSError, OverflowError) as error:
        sys.stderr.write(f"The sandbox cannot listen on port {options.port}: {error}\n")
        return 1
    return 0


def _greeting(sandbox: Sandbox, url: str) -> str:
    lines = ["This is a sandbox, not WeChat: every figure it answers is made up.", f"url     {url}"]
    for account in sandbox.accounts.values():
        lines += [f"appid   {account.appid}  {account.name}", f"secret  {account.secret}"]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    scenarios = [f"  {name:16} {effect.sentence}" for name, effect in EFFECTS.items()]
    parser = argparse.ArgumentParser(
        prog="python -m weixin_sandbox",
        description="A stand-in for the WeChat API on 127.0.0.1, with made-up figures.",
        epilog="\n".join(["scenarios:", *scenarios]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=8077, help="0 takes a free one (default 8077)")
    add("--today", type=date.fromisoformat, metavar="YYYY-MM-DD", help="not Beijing's today")
    add("--latency", type=float, default=0.0, metavar="SECONDS", help="per call")
    what = "what goes wrong; may be given several times"
    add("--scenario", type=_scenario, action="append", default=[], metavar="NAME", help=what)
    return parser


def _scenario(name: str) -> Scenario:
    try:
        return Scenario(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
