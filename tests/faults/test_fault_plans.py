"""Whatever goes wrong on some mornings, after one without trouble the fact is the truth."""

import json
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from fault_plans import FIRST_MORNING, Morning, PlannedRun, drawn
from ingest_processes import SETTINGS, IngestProcess, Order, Outcome
from pipeline import Pipeline, Warehouses, ingest

from weixin_etl.accounts import Account
from weixin_etl.api.client import Answer
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import Dataset
from weixin_etl.load import Pair, load
from weixin_etl.parse import parse
from weixin_sandbox import Sandbox

IMPATIENT = replace(SETTINGS, call_limits=replace(SETTINGS.call_limits, read_seconds=0.5))


def test_the_fact_is_the_truth(warehouses: Warehouses, dataset: Dataset, plan_seed: int):
    """Overlapping runs, kills, refusals, odd and late answers: nothing is lost, nothing is bent."""
    plan = drawn(dataset, plan_seed)
    print(plan)  # noqa: T201 # shown when it fails
    sandbox = Sandbox(plan.accounts, seed=plan_seed, daily_limit=10**9, slow_seconds=1)
    with warehouses.passing("plan") as engine, sandbox.serve() as url:
        pipeline = Pipeline(dataset, engine, sandbox, url)
        undisturbed(pipeline, FIRST_MORNING, PlannedRun(None, 0))
        for morning in plan.mornings:
            live_through(pipeline, morning)
        undisturbed(pipeline, plan.last_morning, PlannedRun(plan.first_day, 0))

        days = [
            plan.first_day + timedelta(days=number)
            for number in range((plan.last_morning - plan.first_day).days)
        ]
        assert pipeline.fact() == pipeline.truth(days, plan.last_morning)


def undisturbed(pipeline: Pipeline, today: date, run: PlannedRun) -> None:
    """The one run of a morning without trouble."""
    pipeline.sandbox.today = today
    pipeline.sandbox.scenarios.clear()
    outcome = ingest(planned(pipeline, today, 0, run))
    assert outcome.is_done, outcome.said


def planned(pipeline: Pipeline, today: date, number: int, run: PlannedRun) -> Order:
    """The order of a morning's run, which begins some minutes after the one before."""
    now = datetime.combine(today, time(10, number), SHANGHAI)
    run_id = f"{today} {number} {run.begin_date}"
    form = run.begin_date and {
        "begin_date": run.begin_date,
        "end_date": today - timedelta(days=1),
    }
    return replace(pipeline.plan(run_id, now, **(form or {})), settings=IMPATIENT)


def live_through(pipeline: Pipeline, morning: Morning) -> None:
    """All runs of a morning at once, then the answers that are late."""
    sandbox = pipeline.sandbox
    sandbox.today = morning.today
    sandbox.scenarios[:] = morning.scenarios
    orders = [
        (planned(pipeline, morning.today, number, run), run.killed_at)
        for number, run in enumerate(morning.runs)
    ]
    with ThreadPoolExecutor(len(orders)) as pool:
        running = [pool.submit(ingested, order, killed_at) for order, killed_at in orders]
        if morning.tokens_die_after_seconds is not None:
            wait(running, morning.tokens_die_after_seconds)
            for appid in sandbox.accounts:
                sandbox.replace_token(appid)
    for future in running:
        future.result()
    for appid, day in morning.late:
        arrive_late(pipeline, appid, day, morning.today - timedelta(days=1))


def ingested(order: Order, killed_at: int) -> Outcome:
    """What comes of a run whose first try is killed at a statement, if so."""
    if killed_at:
        outcome = IngestProcess(replace(order, killed_at=killed_at)).outcome()
        if outcome.is_done:
            return outcome
        order = replace(order, is_retry=True)
    return ingest(order)


def arrive_late(pipeline: Pipeline, appid: str, day: date, asked_on: date) -> None:
    """Load an answer fetched the day before, with totals WeChat has corrected since."""
    dataset = pipeline.dataset
    answer = json.loads(pipeline.sandbox.answer(appid, day, asked_on, dataset.endpoint))
    for article in answer["list"]:
        for row in article[dataset.rows_key]:
            row.update({name: value // 2 for name, value in row.items() if type(value) is int})
    body = json.dumps(answer, ensure_ascii=False).encode()
    fetched_at = datetime.combine(asked_on, time(11), SHANGHAI)
    pair = Pair(day, 1, Answer(body, fetched_at, calls=1), parse(dataset, body, day))
    load(pipeline.warehouse, dataset, Account("late", appid, "", "late"), "late", [pair])
