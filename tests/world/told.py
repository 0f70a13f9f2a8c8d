"""People who are told of real runs: what the tasks do, without Airflow, on a made-up WeChat."""

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
from weixin_etl.health.alerts import Airflow, Alert
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
WORLDS = {
    dataset: in_time(dataset, {day: [range(dataset.window)] for day in range(60, 160)})
    for dataset in (DATASET, DETAIL)
}
"""An article a day, whatever the account."""
OFF = "no answer"
ScriptedAnswer = Callable[[date], int | str | bytes | None] | int | str | bytes | None
"""How WeChat answers, or each day: with an errcode, not at all, with bytes; None is well."""


def at(day: int, hour: float = 9) -> datetime:
    """A time in Beijing, so many days after the first."""
    begin = datetime.combine(FIRST, datetime.min.time(), clock.SHANGHAI)
    return begin + timedelta(days=day, hours=hour)


def run(day: int, dataset: Dataset = DATASET, **changed: Any) -> Run:
    """The daily run of that day."""
    today = FIRST + DAY * day
    return Run(f"scheduled__{today}", dataset, today, **{"is_scheduled": True, **changed})


@dataclass
class People:
    """Those who are told, and the accounts whose mornings they are told of."""

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
    """Whose runs there are now."""

    @property
    def titles(self) -> list[str]:
        return [message.title.removeprefix("weixin-etl: ") for message in self.got]

    @property
    def collector(self) -> Collector:
        """The verbs."""
        accounts = [Account(appid, appid, "", name) for appid, name in self.names.items()]
        made = Collector.of(self.warehouse, *accounts, **self.settings)
        return replace(
            made,
            open_client=lambda planned: Client(planned, self.scripted, self.title),
            now=lambda: self.now,
        )

    def send(self, message: Notification) -> bool:
        self.got += [message] if self.is_up else []
        return self.is_up

    def note(self, note: Observation, *, is_last: bool = True) -> None:
        """What a task does when it ends."""
        update_incidents(self.warehouse, replace(note, is_last=is_last))
        installation = Installation("http://airflow.example/weixin/")
        now = note.at + timedelta(seconds=1)
        notify(self.warehouse, lambda: self.send, now=now, here=installation, may_wait=not is_last)

    def ingest(
        self, hour: float = 9, of: str = "", again: bool = False, **scripted: ScriptedAnswer
    ) -> None:
        """A try of the day's run; `again`: it tries or asks again."""
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
            daily_run, self.now, {"ingest": []}, scope, is_judged=True, is_at_work=again
        )
        self.note(note, is_last=False)

    def plan(self, daily_run: Run) -> Batch:
        """The task plan."""
        made = self.collector.planned(daily_run)
        if made.left:
            self.note(Observation(daily_run, self.now, {"plan": []}, once=made.left), is_last=False)
        return self.plans.setdefault(daily_run, made.accounts)

    def check(self, hour: float = 9.5, of: str = "") -> None:
        """The day's run ends, or one of some accounts."""
        self.now, daily_run = at(self.day, hour), run(self.day, self.dataset)
        planned = [
            account for account in self.plans[daily_run] if account.appid in (of or self.names)
        ]
        judged = self.collector.check(daily_run, planned).not_in
        missing = [problem for problem in judged if problem.kind is not ProblemKind.NOT_READY]
        found: dict[str, Sequence[Problem]] = {"check": missing, "report": [], "deadline": []}
        self.note(
            Observation(
                daily_run, self.now, {**found, "run": []}, [of] if of else None, is_judged=True
            )
        )

    def morning(self, hour: float = 9, **scripted: ScriptedAnswer) -> None:
        """The next day's whole run; accounts that are not named are answered well."""
        self.day += 1
        self.ingest(hour, **scripted)
        self.check(hour + 0.5)

    def status(self, hour: float = 10, airflow: Airflow | None = None, day: int = 0) -> Status:
        """What the page and `weixin-etl status` say on the day, or some days later."""
        now = at(self.day + day, hour)
        with self.warehouse.connect() as connection:
            planned = {DATASET, *(planned_run.dataset for planned_run in self.plans)}
            datasets = [dataset for dataset in WORLDS if dataset in planned]
            return status.read(connection, airflow, now=now, datasets=datasets)

    def wrong_days(
        self, hour: float = 10, airflow: Airflow | None = None
    ) -> dict[tuple[str, date], Alert]:
        """What the calendar says is wrong with each day that is not as it should be."""
        now = at(self.day, hour)
        with self.warehouse.connect() as connection:
            return status.read_days(connection, airflow, self.dataset, [*self.names], now)

    def wrong(self, *when: Any, **of: Any) -> list[tuple[str, str, int]]:
        """What is wrong: kind, how bad, and how many days are not in because of it."""
        found = self.status(*when, **of).open
        return [
            (str(alert.problem.kind), str(alert.severity), len(alert.problem.days))
            for alert in found
        ]


class Client:
    """Answers for an account."""

    def __init__(
        self, planned: PlannedAccount, scripted: Mapping[str, ScriptedAnswer], title: str
    ) -> None:
        self.account = Account(planned.conn_id, planned.appid, "", planned.name)
        self.scripted, self.title = scripted.get(planned.appid), json.dumps(title).encode()

    def check_token(self) -> None:
        """There is one."""

    def datacube(
        self, dataset: Dataset, day: date, now: Callable[[], datetime]
    ) -> Response | FailedCall:
        """One call."""
        world, when = WORLDS[dataset], now()
        response = self.scripted(day) if callable(self.scripted) else self.scripted
        if response == OFF:
            error = WeixinError(ProblemKind.UNREACHABLE, "no answer", account=str(self.account))
            return FailedCall(error, when, 1)
        if isinstance(response, int):
            return FailedCall(http.errcode_error(response, "no", self.account), when, 1)
        listing = world.listing(day_number(day), moment_at(day_number(when.date()), 12))
        answer = body(world, day_number(day), listing, is_delay=False)
        titled = answer.replace(b'"msgid"', b'"title": ' + self.title + b', "msgid"')
        return Response(response or titled, when, 1)
