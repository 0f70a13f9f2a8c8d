"""Whatever goes wrong on some mornings, after one without trouble the fact is the truth."""

import itertools
import json
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from fault_plans import FIRST_MORNING, Morning, PlannedRun, drawn
from figures import loaded, truth
from ingest_processes import IngestProcess, Order, Outcome, ingest
from support import HASTE
from trial import Trial, Warehouses

from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import Dataset
from weixin_etl.kept.imported import import_files
from weixin_etl.load.stage import unpacked
from weixin_etl.problem import ProblemKind
from weixin_etl.run import Settings, Work
from weixin_etl.run.check import check
from weixin_etl.run.outcome import outcome_of
from weixin_sandbox import Sandbox

IMPATIENT = replace(HASTE, read_seconds=0.5)
SMALL_COMMITS = Settings(commit_bytes=60_000)
"""Most hold some days of some accounts."""


def test_the_fact_is_the_truth(
    warehouses: Warehouses, dataset: Dataset, plan_seed: int, tmp_path: Path
):
    """Overlapping runs, kills, refusals, odd and late answers: all is complete and unaltered."""
    plan = drawn(dataset, plan_seed)
    print(plan)  # noqa: T201 # shown when it fails
    sandbox = Sandbox(plan.accounts, seed=plan_seed, daily_limit=10**9, slow_seconds=1)
    with warehouses.passing("plan") as engine, sandbox.serve() as url:
        trial = Trial(dataset, engine, sandbox, url, SMALL_COMMITS)
        quiet = Morning(FIRST_MORNING, 10, [], [PlannedRun(None, 0)], None, [])
        last = replace(quiet, today=plan.last_morning, runs=[PlannedRun(plan.first_day, 0)])
        assert live_through(trial, quiet, tmp_path) == {"green"}
        for morning in plan.mornings:
            live_through(trial, morning, tmp_path)
        assert any(call.errcode != 0 for call in sandbox.calls), "the plan did not come to pass"
        assert live_through(trial, last, tmp_path) == {"green"}

        days = [
            plan.first_day + timedelta(days=number)
            for number in range((plan.last_morning - plan.first_day).days)
        ]
        known = truth(sandbox, plan.accounts, days, plan.last_morning, dataset)
        assert {appid for appid, *_ in known} == {*sandbox.accounts}
        assert loaded(engine, dataset) == known
        covered = trial.rows("SELECT appid, day, row_count FROM weixin.coverage")
        assert Counter({(appid, day): count for appid, day, count in covered if count}) == Counter(
            (appid, publication_date) for appid, _, publication_date, _ in known
        )
        assert told(trial) == changes(trial)


def live_through(trial: Trial, morning: Morning, folder: Path) -> set[str]:
    """All runs of a morning at once, then the answers that are late; the colours of the runs."""
    sandbox = trial.sandbox
    sandbox.today = morning.today
    sandbox.scenarios[:] = morning.scenarios
    orders = [planned(trial, morning, number) for number in range(len(morning.runs))]
    with ThreadPoolExecutor(len(orders)) as pool:
        running = [
            pool.submit(ingested, order, run.killed_at)
            for order, run in zip(orders, morning.runs, strict=True)
        ]
        if morning.tokens_die_after_seconds is not None:
            wait(running, morning.tokens_die_after_seconds)
            for appid in sandbox.accounts:
                sandbox.replace_token(appid)
    outcomes = [future.result() for future in running]
    colours = {colour(trial, order, end) for order, end in zip(orders, outcomes, strict=True)}
    for appid, day in morning.late:
        arrive_late(trial, appid, day, morning.today - timedelta(days=1), folder)
    return colours


def planned(trial: Trial, morning: Morning, number: int) -> Order:
    """The order of a morning's run; its clock stands still, so that all have the same time."""
    run = morning.runs[number]
    now = datetime.combine(morning.today, time(morning.hour), SHANGHAI)
    form = run.begin_date and {
        "begin_date": run.begin_date,
        "end_date": morning.today - timedelta(days=1),
    }
    return replace(trial.plan(f"{now} {number}", now, **(form or {})), limits=IMPATIENT)


def ingested(order: Order, killed_at: int) -> Outcome:
    """What comes of a run whose first try is killed at a statement, if so."""
    if killed_at:
        outcome = IngestProcess(replace(order, killed_at=killed_at)).outcome()
        if outcome.is_done:
            return outcome
    return ingest(order)


def colour(trial: Trial, order: Order, end: Outcome) -> str:
    """
    What check makes of a run that came to its end: red when, and only when, a pair is not in.

    Every pair was asked for or is settled, or the day's quota was used up; whatever is not in has
    its sentence.
    """
    assert f"{ProblemKind.PROGRAM}: " not in end.said
    work = Work(order.run, trial.warehouse, trial.settings, now=lambda: order.now)
    with trial.warehouse.connect() as connection:
        outcome = outcome_of(connection, work, order.batch)
    red = set()
    for planned, _, pair in outcome.pairs():
        is_stopped = planned.appid in outcome.used_up
        assert pair.is_attempted_since(planned.planned_at) or pair.settled or is_stopped
        if outcome.makes_red(planned, pair):
            assert pair.error or is_stopped
            red.add(planned.name)
    judgement = check(work, trial.configured, order.batch)
    assert {problem.account for problem in judgement.not_in} == red
    return "red" if red else "green"


def arrive_late(trial: Trial, appid: str, day: date, asked_on: date, folder: Path) -> None:
    """Import an answer fetched the day before, with totals WeChat has corrected since."""
    dataset = trial.dataset
    answer = json.loads(trial.sandbox.answer(appid, day, asked_on, dataset.endpoint))
    for article in answer["list"]:
        for row in article[dataset.rows_key]:
            row.update({name: value // 2 for name, value in row.items() if type(value) is int})
    at = datetime.combine(asked_on, time(11), SHANGHAI)
    line = {
        "appid": appid,
        "dataset": dataset.name,
        "day": str(day),
        "fetched_at": at.isoformat(),
        "body": answer,
    }
    path = folder / "late.jsonl"
    path.write_text(json.dumps(line, ensure_ascii=False))
    imported = import_files(
        trial.warehouse,
        [path],
        ready_hour=10,
        commit_bytes=1 << 20,
        now=lambda: at + timedelta(days=1),
    )
    assert imported.answers == 1


def told(trial: Trial) -> set[tuple[object, ...]]:
    """Every figure that had another value, by the history: from one version to the next."""
    versions = defaultdict(list)
    for *key, row in trial.rows(
        f"SELECT appid, item, stat_date::text, row FROM weixin.fact_history UNION ALL "  # noqa: S608 # declared
        "SELECT appid, msgid, stat_date::text, to_jsonb(fact) "
        f"FROM weixin.{trial.dataset.fact} AS fact"
    ):
        versions[tuple(key)].append(row)
    return {
        (*key, metric.name, old[metric.name], new[metric.name])
        for key, of_row in versions.items()
        for old, new in itertools.pairwise(sorted(of_row, key=lambda row: row["changed_at"]))
        for metric in trial.dataset.figures
        if old[metric.name] is not None and old[metric.name] != new[metric.name]
    }


def changes(trial: Trial) -> set[tuple[object, ...]]:
    """Every figure that had another value, found by taking each pair's answers in one by one."""
    answers = defaultdict(list)
    for appid, day, seen_at, number, body_zstd in trial.rows(
        "SELECT appid, day, last_seen_at, raw_response_id, body "
        "FROM weixin.raw_response ORDER BY raw_response_id"
    ):
        answers[appid, day].append((seen_at, number, unpacked(bytes(body_zstd))))
    found: set[tuple[object, ...]] = set()
    for (appid, _), arrived in answers.items():
        before: dict[tuple[str, ...], Decimal] = {}
        for count in range(1, len(arrived) + 1):
            after = {
                key: figure
                for _, _, body in sorted(arrived[:count])
                for key, figure in figures(trial.dataset, body).items()
            }
            found |= {
                (appid, *key, before[key], figure)
                for key, figure in after.items()
                if before.get(key, figure) != figure
            }
            before = after
    return found


def figures(dataset: Dataset, body: bytes) -> dict[tuple[str, ...], Decimal]:
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
