"""The real pipeline as an engine of calendars: the same life, by the verbs, on Postgres."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy
from support import rows

from weixin_etl.api import http
from weixin_etl.api.client import Answer
from weixin_etl.api.client import Refusal as Refused
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account, ConfiguredAccount, Coverage, PlannedAccount
from weixin_etl.problem import Problem, ProblemKind, WeixinError
from weixin_etl.run import Settings, Work
from weixin_etl.run import check as check_verb
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run import plan as plan_verb
from weixin_etl.warehouse.statements import coverage_of
from world.life import CALL, CATCH_UP_DAYS, Endpoint, Engine, Process
from world.wechat import Refusal, body, day_number, instant

SETTINGS = Settings(concurrency=1, catch_up_days=CATCH_UP_DAYS, daily_calls=0)


@dataclass
class Pipeline(Engine):
    """An engine whose verbs are the real ones, in this process."""

    warehouse: sqlalchemy.Engine = None  # type: ignore[assignment] # the fields before have defaults
    settings: Settings = SETTINGS
    moment: int = 0
    plans: dict[Process, list[PlannedAccount]] = field(default_factory=dict)
    """The newest plan of each run, as Airflow keeps it."""

    def now(self) -> datetime:
        """The pipeline's clock."""
        return instant(self.moment)

    def coverage(self, endpoint: Endpoint) -> dict[date, Coverage]:
        """An endpoint's rows, from the warehouse."""
        found = rows(
            self.warehouse,
            f"SELECT day, {', '.join(Coverage.__slots__)} FROM weixin.coverage "
            "WHERE dataset = :dataset AND appid = :appid",
            dataset=endpoint[0],
            appid=endpoint[1],
        )
        return {day: coverage_of(columns) for day, *columns in found}

    def plan(self, process: Process, moment: int) -> None:
        """Plan it on the warehouse."""
        self.moment = moment
        accounts = self._configured(process)
        planned = plan_verb.plan(self.work(process), accounts)
        self.plans[process], process.planned_at = planned.accounts, self.now()
        process.unplannable = [it.conn_id for it in accounts if it.is_wanted and not it.appid]
        process.due = {it.appid: it.due for it in planned.accounts}

    def ingest(self, process: Process, moment: int) -> int:
        """Ask and load, batch by batch; when that ends."""
        self.moment = moment
        for batch in plan_verb.batches(self.plans[process]):
            ingest_verb.ingest(
                self.work(process), batch, lambda planned: Client(self, process, planned)
            )
        return self.moment

    def check(self, process: Process, moment: int) -> None:
        """Give the run its colour by what the warehouse says."""
        self.moment = moment
        problem = Problem(ProblemKind.CONFIGURATION, "no login", "")
        accounts = [ConfiguredAccount(it, None, it, problem=problem) for it in process.unplannable]
        judgement = check_verb.check(self.work(process), accounts, self.plans[process])
        process.is_red = bool(judgement.not_in)

    def work(self, process: Process) -> Work:
        """What the verbs take."""
        return Work(process.run, self.warehouse, self.settings, self.now)

    def _configured(self, process: Process) -> list[ConfiguredAccount]:
        wanted = process.run.accounts
        return [
            ConfiguredAccount(conn_id, appid, appid or conn_id, not wanted or appid in wanted)
            for conn_id, appid in self.calendar.accounts(self.moment).items()
        ]


class Client:
    """Answers as the world of its account does, and lets time pass."""

    def __init__(self, engine: Pipeline, process: Process, planned: PlannedAccount) -> None:
        """With the login that its connection has by now."""
        self.engine, self.process = engine, process
        appid = engine.calendar.accounts(engine.moment).get(planned.conn_id)
        if appid is None:
            raise WeixinError(
                ProblemKind.CONFIGURATION,
                cause="there is no such connection",
                cure="create it",
                account=planned.name,
            )
        self.account = Account(planned.conn_id, appid, "", appid)

    def check_token(self) -> None:
        """WeChat gives one."""

    def datacube(
        self, dataset: Dataset, day: date, clock: Callable[[], datetime]
    ) -> Answer | Refused:
        """One call."""
        self.engine.moment += CALL
        appid, number = self.account.appid, day_number(day)
        self.process.calls[appid, day] += 1
        world, now = self.engine.calendar.worlds[dataset.name, appid], clock()
        refusal, listing = world.call(number, self.engine.moment)
        if refusal in (None, Refusal.IS_DELAY):
            said = body(world, number, listing, is_delay=refusal is Refusal.IS_DELAY)
            return Answer(said, now, 1)
        if refusal is Refusal.UNREACHABLE:
            return Refused(WeixinError(ProblemKind.UNREACHABLE, "no answer", account=appid), now, 1)
        return Refused(http.refusal(int(refusal), "no", self.account), now, 1)
