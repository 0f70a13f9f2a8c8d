"""The sandbox on the command line: `python -m weixin_sandbox`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import date

from weixin_sandbox.app import Sandbox
from weixin_sandbox.scenarios import Scenario

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
        sys.stderr.write(
            f"The sandbox cannot listen on port {options.port} ({error}): "
            "free it or choose another with --port.\n"
        )
        return 1
    return 0


def _greeting(sandbox: Sandbox, url: str) -> str:
    lines = ["This is a sandbox, not WeChat: every figure it answers is made up.", f"url     {url}"]
    for account in sandbox.accounts.values():
        lines += [f"appid   {account.appid}  {account.name}", f"secret  {account.secret}"]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m weixin_sandbox",
        description="A stand-in for the WeChat API on 127.0.0.1, with made-up figures.",
        epilog="sandbox/README.md lists the scenarios.",
    )
    parser.add_argument("--port", type=int, default=8077, help="0 takes a free one (default 8077)")
    parser.add_argument(
        "--today", type=date.fromisoformat, metavar="YYYY-MM-DD", help="instead of Beijing's today"
    )
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="per call")
    parser.add_argument(
        "--scenario",
        type=_scenario,
        action="append",
        default=[],
        metavar="NAME",
        help="what goes wrong; may be given several times",
    )
    return parser


def _scenario(name: str) -> Scenario:
    try:
        return Scenario(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
