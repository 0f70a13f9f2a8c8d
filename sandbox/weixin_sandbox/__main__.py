"""The command line `python -m weixin_sandbox`: it serves the sandbox until Ctrl-C."""

import argparse
import sys
import threading
from contextlib import suppress
from datetime import date

from weixin_sandbox.scenarios import EFFECTS, Scenario
from weixin_sandbox.server import Sandbox


def main() -> None:
    """Serve the sandbox until Ctrl-C."""
    options = _parser().parse_args()
    sandbox = Sandbox(today=options.today, scenarios=options.scenario)
    with suppress(KeyboardInterrupt), sandbox.serve(options.port) as url:
        sys.stdout.write(_greeting(sandbox, url))
        sys.stdout.flush()
        threading.Event().wait()


def _greeting(sandbox: Sandbox, url: str) -> str:
    """Return the lines with the URL and the accounts' credentials."""
    lines = ["This is a sandbox, not WeChat: every figure it answers is made up.", f"url     {url}"]
    for account in sandbox.accounts.values():
        lines += [f"appid   {account.appid}  {account.name}", f"secret  {account.secret}"]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    """Return the parser, whose help lists the scenarios."""
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
    effect = "what goes wrong; may be given several times"
    add("--scenario", type=Scenario, action="append", default=[], metavar="NAME", help=effect)
    return parser


if __name__ == "__main__":
    main()
