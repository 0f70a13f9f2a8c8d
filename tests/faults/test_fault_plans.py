"""Whatever goes wrong on some mornings, after one without trouble the fact is the truth."""

import json
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from fault_plans import FIRST_MORNING, Morning, PlannedRun, drawn
from ingest_processes import SETTINGS, IngestProcess, Order, Outcome
from pipeline import Pipeline, Warehouses, ingest

from weixin_etl.api.client import Answer
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import Dataset
from weixin_etl.load import load
from weixin_etl.model import Account
from weixin_etl.pair import Pair
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
        truth = pipeline.truth(days, plan.last_morning)
        assert {appid for appid, *_ in truth} == {*sandbox.accounts}
        assert pipeline.fact() == truth
        assert rows_by_pair(pipeline) == Counter(
            (appid, publication_date) for appid, _, publication_date, _ in truth
        )
        assert told_changes(pipeline) == changes(pipeline)
        assert any(call.errcode != 0 for call in sandbox.calls), "the plan did not come to pass"


def rows_by_pair(pipeline: Pipeline) -> Counter[tuple[str, str]]:
    """How many rows coverage says each pair has, all of which must have come in at last."""
    with pipeline.warehouse.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT appid, publication_date::text, attempt_state, row_count FROM weixin.coverage"
        ).all()
    assert {state for *_, state, _ in found} == {"ok"}
    return Counter({(appid, day): count for appid, day, _, count in found if count})


Change = tuple[str, str, str, str, int, Decimal, Decimal]
"""appid, msgid, stat_date, metric, the answer's id, the value before, the one after."""


def told_changes(pipeline: Pipeline) -> set[Change]:
    """The restatements."""
    with pipeline.warehouse.connect() as connection:
        return {
            tuple(change)
            for change in connection.exec_driver_sql(
                "SELECT appid, msgid, stat_date::text, metric, raw_response_id, old_value, "
                "new_value FROM weixin.restatement"
            )
        }


def changes(pipeline: Pipeline) -> set[Change]:
    """Every figure that had another value, found by taking each pair's answers in one by one."""
    answers = defaultdict(list)
    with pipeline.warehouse.connect() as connection:
        for appid, day, number, seen_at, body in connection.exec_driver_sql(
            "SELECT appid, publication_date, raw_response_id, last_seen_at, "
            "convert_from(body, 'UTF8') FROM weixin.raw_response ORDER BY raw_response_id"
        ):
            answers[appid, day].append((seen_at, number, body))
    found = set()
    for (appid, _), arrived in answers.items():
        before: dict[tuple[str, ...], Decimal] = {}
        for count, (_, number, _) in enumerate(arrived, 1):
            after = {
                key: figure
                for _, _, body in sorted(arrived[:count])
                for key, figure in figures(pipeline.dataset, body).items()
            }
            found |= {
                (appid, *key, number, before[key], figure)
                for key, figure in after.items()
                if before.get(key, figure) != figure
            }
            before = after
    return found


def figures(dataset: Dataset, body: str) -> dict[tuple[str, ...], Decimal]:
    """The figures of an answer, without the rows that do not fit."""
    rows = [
        (article["msgid"], row)
        for article in json.loads(body, parse_float=Decimal)["list"]
        for row in article[dataset.rows_key]
    ]
    return {
        (msgid, row["stat_date"], metric.name): Decimal(row[metric.name])
        for msgid, row in rows
        if not any(isinstance(row.get(metric.name), str) for metric in dataset.figures)
        for metric in dataset.figures
        if metric.name in row
    }


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
