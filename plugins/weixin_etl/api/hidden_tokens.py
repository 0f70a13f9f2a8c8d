"""Access tokens travel in the URL, and urllib3 logs URLs: they are hidden before any handler."""

import logging
import re

_TOKEN = re.compile(r"(access_token=)[^&\s'\"]+")


class _HideTokens(logging.Filter):
    """Rewrites a record; every handler, also one at DEBUG, sees it rewritten."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _TOKEN.sub(r"\1***", record.getMessage()), ()
        return True


_hide_tokens = _HideTokens()


def install() -> None:
    """Hide tokens in everything that urllib3 logs with a URL; may be called again."""
    # a logger's filters do not hold for the loggers below it, so each is named
    for module in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
        logging.getLogger(f"urllib3.{module}").addFilter(_hide_tokens)
