"""Answers that a probe has saved, served in place of made-up ones: somebody's shapes."""

import re
from collections.abc import Iterable
from datetime import date, timedelta

from weixin_etl import json_text
from weixin_etl.datasets import DATASETS
from weixin_etl.probe.saved import SavedAnswer
from weixin_sandbox.answers import Answer, Json

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Reported:
    """The saved answers, each for a publication day as far back as the real one was."""

    def __init__(self, saved: Iterable[SavedAnswer]) -> None:
        self._saved = {
            (it.account, DATASETS[it.dataset].endpoint, it.asked_on - it.publication_date): it
            for it in saved
        }
        self.accounts = sorted({account for account, *_ in self._saved})
        """Whose they are: `account 1` and so on."""

    def answer(self, account: str, endpoint: str, day: date, today: date) -> Answer | None:
        """The answer for a publication day asked for today, its dates moved; None without one."""
        it = self._saved.get((account, endpoint, today - day))
        if it is None:
            return None
        body = _moved(it.body, today - it.asked_on)
        errcode = body.get("errcode", 0) if isinstance(body, dict) else None
        return Answer(
            json_text.encode(body).encode(it.charset),
            errcode=errcode if isinstance(errcode, int) else None,
            status=it.status,
            content_type=it.content_type or "text/plain",
        )


def _moved(value: Json, by: timedelta) -> Json:
    if isinstance(value, dict):
        return {key: _moved(it, by) for key, it in value.items()}
    if isinstance(value, list):
        return [_moved(it, by) for it in value]
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return str(date.fromisoformat(value) + by)
        except (ValueError, OverflowError):  # digits that only look like a date
            return value
    return value
