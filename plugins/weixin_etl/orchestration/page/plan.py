"""What a run with the values of a form would ask WeChat for, before somebody triggers it."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from weixin_etl import clock
from weixin_etl.model import ConfiguredAccount, ParameterError, Run
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.page.reader import Figures
from weixin_etl.run.plan import preview


@dataclass(frozen=True, slots=True)
class View:
    """A plan in short."""

    refusal: str = ""
    """Why the days can't be asked for; else empty."""
    calls: int = 0
    minutes: int = 0
    """About how long the run takes."""
    final: int = 0
    """Days that are left out because they are final."""
    held_back: int = 0
    """Days beyond the quota of today."""
    further_days: int = 0
    """How many days' quota these take."""


def view(of: Figures, appids: Collection[str], begin: date, end: date, *, refetch: bool) -> View:
    """The plan of a run of some accounts with these dates."""
    run = Run(
        run_id="page",
        dataset=of.dataset,
        today=clock.beijing_date(of.now),
        is_scheduled=False,
        begin_date=begin,
        end_date=end,
        refetch=refetch,
        dry_run=True,
    )
    accounts = [ConfiguredAccount(it, it, it) for it in appids]
    try:
        made = preview(of.connection, run, settings.read().pipeline, accounts, of.now)
    except ParameterError as error:
        return View(refusal=of.said(str(error)))
    return View(
        calls=made.counts["asked"],
        minutes=math.ceil(made.expected / timedelta(minutes=1)),
        final=made.counts["final"],
        held_back=sum(len(it.held_back) for it in made.details),
        further_days=made.further_days,
    )
