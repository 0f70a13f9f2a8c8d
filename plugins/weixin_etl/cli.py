"""`weixin-etl`: everything a person types. Each command imports what it needs when it runs."""

import sys
from collections.abc import Sequence

DEFAULT_PORT = 8080
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. What goes wrong is one sentence on stderr."""
    parser = _parser()
    options, rest = parser.parse_known_args(argv)
    if rest and not options.passes_on:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    options.rest = rest
    from weixin_etl.local.errors import LocalError

    try:
        return int(options.command(options))
    except LocalError as error:
        sys.stderr.write(f"weixin-etl: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("weixin-etl: stopped.\n")
        return INTERRUPTED


...
