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
    it: in_time(it, {day: [range(it.window)] for day in range(60, 160)}) for it in (DATASET, DETAIL)
}
"""An article a day, whatever the account."""
OFF = "no answer"
How = Callable[[date], int | str | bytes | None] | int | str | bytes | None
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
    how: Mapping[str, How] = field(default_factory=dict)
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
            made, open_client=lambda it: Client(it, self.how, self.title), now=lambda: self.now
        )

    def send(self, message: Notification) -> bool:
        self.got += [message] if self.is_up else []
        return self.is_up

    def note(self, note: Observation, *, is_last: bool = True) -> None:
        """What a task does when it ends."""
        update_incidents(self.warehouse, replace(note, is_last=is_last))
        here, now = Installation("http://airflow.example/weixin/"), note.at + timedelta(seconds=1)
        notify(self.warehouse, lambda: self.send, now=now, here=here, may_wait=not is_last)

    def ingest(self, hour: float = 9, of: str = "", again: bool = False, **how: How) -> None:
        """A try of the day's run; `again`: it tries or asks again."""
        self.now, self.how, this = at(self.day, hour), how, run(self.day, self.dataset)
        batch = self.plans.get(this) or self.plan(this)
        asked = [it for it in batch if it.appid in (of or self.names)]
        self.collector.ingest(this, asked)
        looked = [it.appid for it in asked]
        note = Observation(this, self.now, {"ingest": []}, looked, is_judged=True, is_at_work=again)
        self.note(note, is_last=False)

    def plan(self, this: Run) -> Batch:
        """The task plan."""
        made = self.collector.planned(this)
        if made.left:
            self.note(Observation(this, self.now, {"plan": []}, once=made.left), is_last=False)
        return self.plans.setdefault(this, made.accounts)

    def check(self, hour: float = 9.5, of: str = "") -> None:
        """The day's run ends, or one of some accounts."""
        self.now, this = at(self.day, hour), run(self.day, self.dataset)
        planned = [it for it in self.plans[this] if it.appid in (of or self.names)]
        judged = self.collector.check(this, planned).not_in
        missing = [it for it in judged if it.kind is not ProblemKind.NOT_READY]
        found: dict[str, Sequence[Problem]] = {"check": missing, "report": [], "deadline": []}
        self.note(
            Observation(this, self.now, {**found, "run": []}, [of] if of else None, is_judged=True)
        )

    def morning(self, hour: float = 9, **how: How) -> None:
        """The next day's whole run; accounts that are not named are answered well."""
        self.day += 1
        self.ingest(hour, **how)
        self.check(hour + 0.5)

    def status(self, hour: float = 10, airflow: Airflow | None = None, day: int = 0) -> Status:
        """What the page and `weixin-etl status` say on the day, or some days later."""
        now = at(self.day + day, hour)
        with self.warehouse.connect() as connection:
            datasets = [it for it in WORLDS if it in {DATASET, *(it.dataset for it in self.plans)}]
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
        return [(str(it.problem.kind), str(it.severity), len(it.problem.days)) for it in found]


class Client:
    """Answers for an account."""

    def __init__(self, planned: PlannedAccount, how: Mapping[str, How], title: str) -> None:
        self.account = Account(planned.conn_id, planned.appid, "", planned.name)
        self.how, self.title = how.get(planned.appid), json.dumps(title).encode()

    def check_token(self) -> None:
        """There is one."""

    def datacube(
        self, dataset: Dataset, day: date, now: Callable[[], datetime]
    ) -> Response | FailedCall:
        """One call."""
        world, how, when = WORLDS[dataset], self.how(day) if callable(self.how) else self.how, now()
        if how == OFF:
            error = WeixinError(ProblemKind.UNREACHABLE, "no answer", account=str(self.account))
            return FailedCall(error, when, 1)
        if isinstance(how, int):
            return FailedCall(http.errcode_error(how, "no", self.account), when, 1)
        listing = world.listing(day_number(day), moment_at(day_number(when.date()), 12))
        said = body(world, day_number(day), listing, is_delay=False)
        titled = said.replace(b'"msgid"', b'"title": ' + self.title + b', "msgid"')
        return Response(how or titled, when, 1)
