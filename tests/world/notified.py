"""
People who are notified of problems, by real plan, ingest and check on a made-up WeChat.

`People` executes one morning after another without Airflow, and collects the notifications that
would be sent. Tests compare the notifications, the page and `weixin-etl status`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.api import http
from weixin_etl.api.client import FailedCall, Response
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health import status
from weixin_etl.health.alert import Alert
from weixin_etl.health.alerts import Airflow
from weixin_etl.health.incidents import Observation, update_incidents
from weixin_etl.health.notifications import Installation, Notification, notify
from weixin_etl.health.status import Status
from weixin_etl.model import Account, Batch, PlannedAccount, Run
from weixin_etl.problem import Problem, ProblemKind, WeixinError
from world.collector import Collector
from world.wechat import at as moment_at
from world.wechat import body, day_number, in_time

DATASET, DETAIL = DATASETS["article_total"], DATASETS["article_total_detail"]
DAY, FIRST = timedelta(days=1), date(2026, 11, 9)
WECHAT = {
    dataset: in_time(dataset, {day: [range(dataset.window)] for day in range(60, 160)})
    for dataset in (DATASET, DETAIL)
}
"""A simulated WeChat for each dataset, with one article a day for any account."""
OFF = "no answer"
ScriptedAnswer = Callable[[date], int | str | bytes | None] | int | str | bytes | None
"""
The answer of WeChat, for all days or by day.

An errcode, `OFF` (no connection), or bytes; None is a good answer.
"""


def at(day: int, hour: float = 9) -> datetime:
    """Return a time in Beijing, `day` days after the first."""
    begin = datetime.combine(FIRST, datetime.min.time(), clock.SHANGHAI)
    return begin + timedelta(days=day, hours=hour)


def run(day: int, dataset: Dataset = DATASET, **changed: Any) -> Run:
    """Return the daily run of that day."""
    today = FIRST + DAY * day
    return Run(f"scheduled__{today}", dataset, today, **{"is_scheduled": True, **changed})


@dataclass
class People:
    """The people who are notified, and the accounts whose runs they are notified of."""

    warehouse: Engine
    names: Mapping[str, str] = field(default_factory=lambda: {"a": "号a", "b": "号b"})
    settings: dict[str, int] = field(default_factory=dict)
    scripted: Mapping[str, ScriptedAnswer] = field(default_factory=dict)
    got: list[Notification] = field(default_factory=list)
    is_up: bool = True
    title: str = "a title"
    day: int = -1
    now: datetime = field(default_factory=lambda: at(-1))
    plans: dict[Run, Batch] = field(default_factory=dict)
    dataset: Dataset = DATASET
    """The dataset whose runs are executed."""

    @property
    def titles(self) -> list[str]:
        """The titles of the notifications."""
        return [message.title.removeprefix("weixin-etl: ") for message in self.got]

    @property
    def collector(self) -> Collector:
        """The collector of the accounts."""
        accounts = [Account(appid, appid, "", name) for appid, name in self.names.items()]
        made = Collector.of(self.warehouse, *accounts, **self.settings)
        return replace(
            made,
            open_client=lambda planned: Client(planned, self.scripted, self.title),
            now=lambda: self.now,
        )

    def send(self, message: Notification) -> bool:
        """Receive a notification. Return whether it was delivered."""
        self.got += [message] if self.is_up else []
        return self.is_up

    def note(self, note: Observation, *, is_last: bool = True) -> None:
        """Record an observation and send the notifications, as a task does when it ends."""
        update_incidents(self.warehouse, replace(note, is_run_end=is_last))
        installation = Installation("http://airflow.example/weixin/")
        now = note.at + timedelta(seconds=1)
        notify(
            self.warehouse,
            lambda: self.send,
            now=now,
            installation=installation,
            may_wait=not is_last,
        )

    def ingest(
        self, hour: float = 9, of: str = "", again: bool = False, **scripted: ScriptedAnswer
    ) -> None:
        """Make a try of the day's run. `again` says that it will try or ask again."""
        self.now, self.scripted, daily_run = (
            at(self.day, hour),
            scripted,
            run(self.day, self.dataset),
        )
        batch = self.plans.get(daily_run) or self.plan(daily_run)
        asked = [account for account in batch if account.appid in (of or self.names)]
        self.collector.ingest(daily_run, asked)
        scope = [account.appid for account in asked]
        note = Observation(
            daily_run, self.now, {"ingest": []}, scope, shows_ends=True, run_goes_on=again
        )
        self.note(note, is_last=False)

    def plan(self, daily_run: Run) -> Batch:
        """Plan the run, as the task does."""
        made = self.collector.planned(daily_run)
        if made.removed:
            self.note(
                Observation(daily_run, self.now, {"plan": []}, momentary=made.removed),
                is_last=False,
            )
        return self.plans.setdefault(daily_run, made.accounts)

    def check(self, hour: float = 9.5, of: str = "") -> None:
        """End the day's run, or the part of one account."""
        self.now, daily_run = at(self.day, hour), run(self.day, self.dataset)
        planned = [
            account for account in self.plans[daily_run] if account.appid in (of or self.names)
        ]
        judged = self.collector.check(daily_run, planned).not_in
        missing = [problem for problem in judged if problem.kind is not ProblemKind.NOT_READY]
        found: dict[str, Sequence[Problem]] = {"check": missing, "report": [], "deadline": []}
        self.note(
            Observation(
                daily_run, self.now, {**found, "run": []}, [of] if of else None, shows_ends=True
            )
        )

    def morning(self, hour: float = 9, **scripted: ScriptedAnswer) -> None:
        """Execute the next day's run; accounts without a scripted answer get good ones."""
        self.day += 1
        self.ingest(hour, **scripted)
        self.check(hour + 0.5)

    def status(self, hour: float = 10, airflow: Airflow | None = None, day: int = 0) -> Status:
        """Return what the page and `weixin-etl status` show on the day, or `day` days later."""
        now = at(self.day + day, hour)
        with self.warehouse.connect() as connection:
            planned = {DATASET, *(planned_run.dataset for planned_run in self.plans)}
            datasets = [dataset for dataset in WECHAT if dataset in planned]
            return status.read(connection, airflow, now=now, datasets=datasets)

    def wrong_days(
        self, hour: float = 10, airflow: Airflow | None = None
    ) -> dict[tuple[str, date], Alert]:
        """Return the calendar's alert for each day that is not well."""
        now = at(self.day, hour)
        with self.warehouse.connect() as connection:
            return status.read_days(connection, airflow, self.dataset, [*self.names], now)

    def wrong(self, *when: Any, **of: Any) -> list[tuple[str, str, int]]:
        """Return the kind, the severity and the number of days of each open alert."""
        found = self.status(*when, **of).open
        return [
            (str(alert.problem.kind), str(alert.severity), len(alert.problem.days))
            for alert in found
        ]


class Client:
    """A client that gives the scripted answers of an account."""

    def __init__(
        self, planned: PlannedAccount, scripted: Mapping[str, ScriptedAnswer], title: str
    ) -> None:
        self.account = Account(planned.conn_id, planned.appid, "", planned.name)
        self.scripted, self.title = scripted.get(planned.appid), json.dumps(title).encode()

    def check_token(self) -> None:
        """Accept the account: it always has a token."""

    def datacube(
        self, dataset: Dataset, day: date, now: Callable[[], datetime]
    ) -> Response | FailedCall:
        """Answer one call."""
        wechat, when = WECHAT[dataset], now()
        response = self.scripted(day) if callable(self.scripted) else self.scripted
        if response == OFF:
            error = WeixinError(ProblemKind.UNREACHABLE, "no answer", account=str(self.account))
            return FailedCall(error, when, 1)
        if isinstance(response, int):
            return FailedCall(http.errcode_error(response, "no", self.account), when, 1)
        listing = wechat.listing(day_number(day), moment_at(day_number(when.date()), 12))
        answer = body(wechat, day_number(day), listing, is_delay=False)
        titled = answer.replace(b'"msgid"', b'"title": ' + self.title + b', "msgid"')
        return Response(response or titled, when, 1)
