"""Kept answers that nothing needs: what a prune deletes, and that nobody can tell afterwards."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from warehouse_loads import (
    ACCOUNT,
    DAY,
    OTHER_ACCOUNT,
    SCHEDULED,
    article,
    at,
    body,
    contents,
    know,
    load_pairs,
    pair,
    rows,
)

from weixin_etl import cli
from weixin_etl.answers import Selection
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.load import Load
from weixin_etl.model import Account
from weixin_etl.prune import Pruned, Size, Stay, prune
from weixin_etl.replay import replay
from weixin_etl.warehouse import WarehouseError
from weixin_etl.warehouse.locks import lock_load

ALL = Selection(ARTICLE_TOTAL)
OTHER_DAY = DAY + timedelta(days=1)
numbers = itertools.count()


def run(warehouse: Engine, selection: Selection = ALL, *, is_applied: bool = True) -> Pruned:
    return prune(warehouse, selection, is_applied=is_applied)


def rebuild(warehouse: Engine, selection: Selection = ALL) -> bool:
    """Replay and write; whether nothing changed."""
    return replay(warehouse, selection, ready_hour=10, is_applied=True).is_empty


# What no one can tell: two accounts live through the same, and the answers of one are pruned.


@dataclass(frozen=True)
class Loading:
    """An answer for a publication day: when it was fetched, in which order it is loaded."""

    day: date
    fetched_at: datetime
    answer: bytes


counts = st.none() | st.integers(0, 2)
figures = st.fixed_dictionaries(
    {}, optional={"share_count": counts, "share_user": counts, "new_a": counts}
)
odd = st.just({"share_count": -1})
texts = st.none() | st.sampled_from(["甲", "乙"])


SHARED = "9_1"
"""An article that both days' answers may list."""


@st.composite
def bodies(draw: st.DrawFn, day: date) -> bytes:
    """Articles with their rows, some that do not fit; now and then nothing that can be read."""
    if draw(st.integers(0, 12)) == 0:
        return draw(st.sampled_from([b"[]", b'{"list": 1}']))
    items = [
        article(
            msgid,
            draw(st.dictionaries(st.sampled_from(["21", "22"]), figures | figures | figures | odd)),
            **draw(st.fixed_dictionaries({}, optional={"title": texts, "new_key": texts})),
        )
        for msgid in draw(
            st.lists(st.sampled_from([f"{day:%d}0_1", f"{day:%d}0_2", SHARED]), max_size=3)
        )
    ]
    return body(*items, day=day)


@st.composite
def loadings(draw: st.DrawFn) -> list[Loading]:
    """Answers of two days; some are fetched before others that are loaded earlier, or the same."""
    drawn: list[Loading] = []
    for number in range(draw(st.integers(2, 9))):
        minute = number if draw(st.booleans()) else draw(st.integers(0, 9))
        day = draw(st.sampled_from([DAY, DAY, DAY, OTHER_DAY]))
        of_day = [it.answer for it in drawn if it.day == day]
        again = of_day and draw(st.integers(0, 3)) == 0
        answer = draw(st.sampled_from(of_day) if again else bodies(day))
        drawn.append(Loading(day, at("23 10:00") + timedelta(minutes=minute), answer))
    return drawn


class Twin:
    """An account of an example."""

    def __init__(self, warehouse: Engine) -> None:
        number = next(numbers)
        self.warehouse = warehouse
        self.account = Account(f"weixin_{number}", f"twin_{number}", "secret", f"号{number}")
        self.selection = replace(ALL, accounts=(self.account.appid,))
        know(warehouse, self.account.appid)

    def load(self, loading: Loading) -> None:
        """One commit."""
        came = pair(loading.answer, loading.fetched_at, loading.day)
        load = Load(self.warehouse, SCHEDULED, ready_hour=10)
        load.commit([replace(came, account=self.account)], complete={self.account.appid})

    def wipe(self) -> None:
        """Delete what a replay makes anew."""
        with self.warehouse.begin() as connection:
            for table in ("fact_article_total", "dim_article", "article_sighting"):
                connection.exec_driver_sql(
                    f"DELETE FROM weixin.{table} WHERE appid = %s",  # noqa: S608 # these
                    (self.account.appid,),
                )

    def answers(self) -> list[int]:
        """The keys of its answers, as they were loaded."""
        found = self._rows("SELECT * FROM weixin.raw_response WHERE appid = :appid ORDER BY 1")
        return [row["raw_response_id"] for row in found]

    def named(self) -> set[int]:
        """The answers that something refers to."""
        found = itertools.chain(
            *(self._rows(f"SELECT * FROM {it} WHERE appid = :appid") for it in SEEN)  # noqa: S608 # these
        )
        return {row["raw_response_id"] for row in found if row.get("raw_response_id")}

    def seen(self, answers: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
        """All there is to see, each answer by its place among these."""
        places = {number: place for place, number in enumerate(answers)}
        found = {
            relation: self._rows(f"SELECT * FROM {relation} WHERE appid = :appid")  # noqa: S608 # these
            for relation in SEEN
        }
        for row in itertools.chain(*found.values()):
            row.pop("conn_id", None)
            for name in ("appid", "account_name", "rejected_row_id", "history_id"):
                row.pop(name, None)
            if "raw_response_id" in row:
                row["raw_response_id"] = places.get(row["raw_response_id"])
        return {relation: sorted(found[relation], key=str) for relation in SEEN}

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        with self.warehouse.connect() as connection:
            found = connection.execute(text(sql), {"appid": self.account.appid})
            return [dict(row) for row in found.mappings()]


SEEN = (
    "weixin.fact_article_total",
    "weixin.fact_article_total_history",
    "weixin.restatement",
    "weixin.dim_article",
    "weixin.dim_article_title_history",
    "weixin.article_sighting",
    "weixin.coverage",
    "weixin.rejected_row",
    "analytics.article",
    "analytics.article_day",
    "analytics.coverage",
    "analytics.account_day",
    "analytics.article_total_as_of('2026-11-24 10:30+08')",
)


of_examples = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""Each example has accounts of its own, so that none needs an empty warehouse."""


def of_first_day(*minutes_and_answers: tuple[int, bytes]) -> list[Loading]:
    """Answers for `DAY`, fetched so many minutes after ten."""
    ten = at("23 10:00")
    return [Loading(DAY, ten + timedelta(minutes=it), body) for it, body in minutes_and_answers]


LISTED, LISTED_AGAIN, LISTED_LATE, UNLISTED, UNLISTED_AGAIN, OTHER = (
    body(*items, told_at=number)
    for number, items in enumerate(
        [[article("200_1", {})]] * 3 + [[]] * 2 + [[article("200_2", {})]]
    )
)


@of_examples
@example(drawn=of_first_day((0, LISTED), (1, LISTED_AGAIN), (2, LISTED_LATE)), is_wiped=True)
@example(drawn=of_first_day((0, LISTED), (5, LISTED), (3, LISTED_LATE)), is_wiped=True)
@example(
    drawn=of_first_day((0, LISTED), (1, UNLISTED), (2, UNLISTED_AGAIN), (3, OTHER)), is_wiped=False
)
@given(drawn=loadings(), is_wiped=st.booleans())
def test_nobody_can_tell_that_answers_were_pruned(
    warehouse: Engine, drawn: list[Loading], is_wiped: bool
):
    """
    Neither in a table or a view, nor by a replay; nor by one after facts and articles were wiped.

    Corrections, absent figures, late answers, identical ones, rejected rows, articles that vanish:
    everything stays, the answer that each row and each article names included.
    """
    pruned, whole = Twin(warehouse), Twin(warehouse)
    for twin in (pruned, whole):
        for loading in drawn:
            twin.load(loading)
    places = {twin: twin.answers() for twin in (pruned, whole)}

    run(warehouse, pruned.selection)

    assert pruned.named() <= set(pruned.answers())
    assert pruned.seen(places[pruned]) == whole.seen(places[whole])
    for twin in (pruned, whole):
        if is_wiped:
            twin.wipe()
    assert rebuild(warehouse, pruned.selection) == rebuild(warehouse, whole.selection)
    assert pruned.seen(places[pruned]) == whole.seen(places[whole])


@settings(of_examples, max_examples=40, phases=[Phase.reuse, Phase.generate])
@given(loadings(), loadings())
def test_what_comes_after_a_prune_gets_the_same_values(
    warehouse: Engine, earlier: list[Loading], later: list[Loading]
):
    """Also answers that belong before those that were pruned, or were pruned themselves."""
    pruned, whole = Twin(warehouse), Twin(warehouse)
    for twin in (pruned, whole):
        for loading in earlier:
            twin.load(loading)
        if twin is pruned:
            run(warehouse, twin.selection)
        for loading in later:
            twin.load(loading)
    run(warehouse, pruned.selection)

    for twin in (pruned, whole):
        rebuild(warehouse, twin.selection)
    assert values(pruned.seen([])) == values(whole.seen([]))


def values(seen: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """
    Figures, articles and coverage, less what a late answer may lead to that was pruned.

    That would have been the last to change a row, the first without an article that only the late
    one lists, or what parts two identical late ones.
    """
    found = {it: seen[it] for it in SEEN if it != "weixin.rejected_row"}
    for relation, of_relation in found.items():
        for row in of_relation:
            if relation != "weixin.coverage":
                row.pop("fetched_at", None)
            row.pop("unlisted_since", None)
    return {relation: sorted(of_relation, key=str) for relation, of_relation in found.items()}


# A day with two answers that nothing needs, and one with an answer for each reason to stay.

ROWS = {"20": {"share_count": 1}, "21": {"share_count": 2}}
MORNINGS = [
    ("22 10:30", body(article("1_1", ROWS, title="旧"))),
    ("22 11:30", body(article("1_1", ROWS, title="中"))),
    ("22 12:30", body(article("1_1", ROWS, title="新"))),
    ("23 10:30", body(article("1_1", {**ROWS, "22": {"share_count": 3}}, title="新"))),
]
OTHER_MORNINGS = [
    ("22 10:30", b"[]"),
    ("22 11:30", body(article("2_1", {"20": {"share_count": 7}}), day=OTHER_DAY)),
    ("22 12:30", body(article("2_1", {"21": {"share_count": 7}}), day=OTHER_DAY)),
    ("22 13:30", body(article("2_2", {}), day=OTHER_DAY, told_at="13:30")),
    ("23 10:30", body(article("2_2", {}), day=OTHER_DAY)),
]
UNNEEDED = [1, 2]
"""Places among the answers of `MORNINGS`."""


def load_mornings(warehouse: Engine, *accounts: Account) -> None:
    """All of them, in the order in which they were fetched."""
    know(warehouse, *(account.appid for account in accounts))
    for account in accounts:
        for day, mornings in ((DAY, MORNINGS), (OTHER_DAY, OTHER_MORNINGS)):
            for fetched, answer in mornings:
                load_pairs(warehouse, pair(answer, fetched, day), account=account)


def kept(warehouse: Engine) -> list[tuple[str, date, datetime]]:
    """The answers that are there, as they were loaded."""
    return rows(
        warehouse,
        "SELECT appid, publication_date, fetched_at "
        "FROM weixin.raw_response ORDER BY appid, publication_date, fetched_at",
    )


def needed_of(*accounts: Account) -> list[tuple[str, date, datetime]]:
    """The answers that stay of these accounts' mornings."""
    of_day = [it for place, it in enumerate(MORNINGS) if place not in UNNEEDED]
    return [
        (account.appid, day, at(fetched))
        for account in accounts
        for day, mornings in ((DAY, of_day), (OTHER_DAY, OTHER_MORNINGS))
        for fetched, _ in mornings
    ]


def test_what_stays_and_why(warehouse: Engine):
    """Each answer is counted once, with the bytes in which it is stored."""
    load_mornings(warehouse, ACCOUNT)
    stored = rows(warehouse, "SELECT sum(octet_length(body_zstd)) FROM weixin.raw_response")[0][0]

    pruned = run(warehouse)

    assert {stay: size.answers for stay, size in pruned.stays.items()} == {
        Stay.NEWEST: 2,
        Stay.NAMED: 2,
        Stay.REJECTED: 1,
        Stay.UNREADABLE: 1,
        Stay.NEEDED: 1,
    }
    assert (pruned.before, pruned.gone.answers) == (Size(9, stored), 2)
    assert pruned.left_out == Size()
    assert kept(warehouse) == needed_of(ACCOUNT)
    assert run(warehouse).gone == Size()


def test_a_dry_run_deletes_nothing(warehouse: Engine):
    """It says what would go."""
    load_mornings(warehouse, ACCOUNT)
    before = contents(warehouse, versions=True)

    dry = run(warehouse, is_applied=False)

    assert contents(warehouse, versions=True) == before
    assert replace(dry, is_applied=True) == run(warehouse)


@pytest.mark.parametrize(
    "chosen",
    [{"accounts": ("wx2",)}, {"end_date": DAY - timedelta(days=1)}],
    ids=["accounts", "days"],
)
def test_only_what_is_selected(warehouse: Engine, chosen: dict[str, Any]):
    """Neither another account's answers go, nor those of later days."""
    load_mornings(warehouse, ACCOUNT, OTHER_ACCOUNT)

    pruned = run(warehouse, replace(ALL, **chosen))

    assert pruned.gone.answers == (2 if "accounts" in chosen else 0)
    of_wx1 = [it for it in kept(warehouse) if it[0] == "wx1"]
    assert len(of_wx1) == 9
    assert pruned.left_out.answers == (9 if "accounts" in chosen else 18)


def test_what_is_left_is_read_again(warehouse: Engine):
    """Another prune may work beside it, which takes more than this one counts."""
    load_mornings(warehouse, ACCOUNT, OTHER_ACCOUNT)
    of_one, of_other = (replace(ALL, accounts=(appid,)) for appid in ("wx1", "wx2"))

    def beside(_done: int, _total: int) -> None:
        run(warehouse, of_other)

    pruned = prune(warehouse, of_one, is_applied=True, on_progress=beside)

    assert pruned.after.answers == len(kept(warehouse))
    assert (pruned.before - pruned.gone).answers == pruned.after.answers + 2


@pytest.mark.parametrize("days", ["999999999", "-1", "ninety"])
def test_days_that_are_no_number_of_days(days: str, capsys: pytest.CaptureFixture[str]):
    """A sentence, and nothing is looked at."""
    with pytest.raises(SystemExit):
        cli.main(["prune", "--days", days])

    assert f"'{days}' is not a number of days, 0 to 36500" in capsys.readouterr().err


def test_what_is_imported_again_changes_no_fact(warehouse: Engine):
    """The pruned answers are kept again, each in its place in the order."""
    load_mornings(warehouse, ACCOUNT)
    tables = [it for it in contents(warehouse) if it not in ("raw_response", "run_report")]
    before = contents(warehouse, tables)
    all_kept = kept(warehouse)
    run(warehouse)

    for fetched, answer in MORNINGS:
        load_pairs(warehouse, pair(answer, fetched))

    assert kept(warehouse) == all_kept
    after = contents(warehouse, tables)
    del before["coverage"], after["coverage"]
    assert after == before
    assert rebuild(warehouse)


def test_the_loader_may_not(warehouse: Engine, loader: Engine):
    """It is told who may; a dry run is for everybody."""
    load_mornings(warehouse, ACCOUNT)

    with pytest.raises(WarehouseError, match=r"weixin_loader may not delete answers, .* owner"):
        run(loader)

    assert len(kept(warehouse)) == 9
    assert run(loader, is_applied=False).gone.answers == 2


def test_a_user_of_its_own_needs_one_privilege_more(warehouse: Engine, loader: Engine):
    """DELETE on the answers, and nothing else that the loader has not."""
    load_mornings(warehouse, ACCOUNT)
    with warehouse.begin() as connection:
        connection.exec_driver_sql("GRANT DELETE ON weixin.raw_response TO weixin_loader")
    try:
        pruned = run(loader)
    finally:
        with warehouse.begin() as connection:
            connection.exec_driver_sql("REVOKE DELETE ON weixin.raw_response FROM weixin_loader")

    assert pruned.gone.answers == 2


KILLED = """
import os, signal, sys
from weixin_etl import answers, prune as verb, warehouse
from weixin_etl.datasets import ARTICLE_TOTAL
answers._MOST_PAIRS = 1
def on_progress(done, total):
    if done > 3:
        os.kill(os.getpid(), signal.SIGKILL)
verb.prune(warehouse.engine(sys.argv[1]), answers.Selection(ARTICLE_TOTAL), is_applied=True,
    on_progress=on_progress)
"""


def test_a_killed_prune_is_completed_by_the_next(warehouse: Engine):
    """What it has deleted is whole days' worth, and the rest is there."""
    load_mornings(warehouse, ACCOUNT, OTHER_ACCOUNT)
    url = warehouse.url.render_as_string(hide_password=False)

    killed = subprocess.run([sys.executable, "-c", KILLED, url], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert len(kept(warehouse)) == 16
    assert rebuild(warehouse)
    assert run(warehouse).gone.answers == 2
    assert kept(warehouse) == needed_of(ACCOUNT, OTHER_ACCOUNT)


def test_what_a_load_comes_to_name_meanwhile_stays(warehouse: Engine):
    """A prune waits for the load of an account, and looks only then."""
    load_mornings(warehouse, ACCOUNT)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as pool:
        with warehouse.begin() as connection:
            lock_load(connection, ["wx1"])
            pruning = pool.submit(run, warehouse)
            for _ in range(1000):
                if rows(warehouse, waiting) == [(1,)] or pruning.done():
                    break
                signal.sigtimedwait([], 0.02)
            connection.execute(
                text(
                    "UPDATE weixin.fact_article_total SET raw_response_id = (SELECT "
                    "raw_response_id FROM weixin.raw_response WHERE fetched_at = :fetched_at AND "
                    "publication_date = :day) WHERE msgid = '1_1' AND stat_date = '2026-11-21'"
                ),
                {"fetched_at": at("22 11:30"), "day": DAY},
            )

        assert pruning.result().gone.answers == 1
    assert ("wx1", DAY, at("22 11:30")) in kept(warehouse)


def test_prunes_and_replays_beside_loads(warehouse: Engine):
    """Nobody is stopped; the tables are those of undisturbed loads, and nothing goes twice."""
    load_mornings(warehouse, ACCOUNT, OTHER_ACCOUNT)
    tables = [it for it in contents(warehouse) if it not in ("raw_response", "run_report")]
    before = contents(warehouse, tables)
    with warehouse.begin() as connection:
        named = ", ".join(f"weixin.{table}" for table in contents(warehouse))
        connection.exec_driver_sql(f"TRUNCATE {named}")

    with ThreadPoolExecutor(4) as pool:
        loads = [
            pool.submit(load_mornings, warehouse, account) for account in (ACCOUNT, OTHER_ACCOUNT)
        ]
        replays = [pool.submit(rebuild, warehouse) for _ in range(4)]
        prunes = [pool.submit(run, warehouse) for _ in range(12)]
        for future in [*loads, *replays]:
            future.result()
        gone = sum(prune.result().gone.answers for prune in prunes) + run(warehouse).gone.answers

    assert contents(warehouse, tables) == before
    assert gone == 4
    assert kept(warehouse) == needed_of(ACCOUNT, OTHER_ACCOUNT)


@pytest.fixture
def printed(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What a command prints."""
    url = warehouse.url.set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setitem(os.environ, "AIRFLOW_CONN_WEIXIN_WAREHOUSE", url)
    monkeypatch.setenv("COLUMNS", "120")

    def printed(*arguments: str) -> str:
        assert cli.main(list(arguments)) == 0
        return "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines())

    return printed


def test_the_command(warehouse: Engine, printed: Callable[..., str]):
    """It shows what would go, by default of days that no daily run asks for; and deletes it."""
    load_mornings(warehouse, ACCOUNT)

    assert "would be deleted                                                    0" in printed(
        "prune"
    )
    shown = printed("prune", "--dataset", "article_total", "--days", "4")
    applied = printed("prune", "--dataset", "article_total", "--before", "2026-11-21", "--apply")

    assert shown.splitlines() == [
        "",
        " article_total                                                         answers     stored",
        " ────────────────────────────────────────────────────────────────────────────────────────",
        " kept                                                                        9  853 bytes",
        " would be deleted                                                            2  238 bytes",
        "",
        " stay: the newest of their day                                               1  125 bytes",
        " stay: a row of the fact or of its history, or an article, names them        1  119 bytes",
        " stay: not looked at (after 2026-11-20, or of other accounts)                5  371 bytes",
        "",
        " would be kept                                                               7  615 bytes",
        "",
        "Nothing is deleted: --apply does.",
    ]
    assert applied.splitlines()[:-1] == [
        line.replace("kept       ", "kept before", 1)
        if line.startswith(" kept")
        else line.replace("would be deleted", "deleted         ").replace(
            "would be kept", "kept now     "
        )
        for line in shown.splitlines()[:-1]
    ]
    assert "Only VACUUM (FULL) weixin.raw_response gives it back" in applied
    assert len(kept(warehouse)) == 7


def test_old_run_reports_that_the_manual_deletes(warehouse: Engine, loader: Engine):
    """As the loader: those of new runs stay, and those of rows that were not announced."""
    manual = Path(__file__).parents[3] / "docs/operating.md"
    delete = manual.read_text().split("### Run reports and the rest")[1].split("```")[1][4:]
    reports = [("new", True), ("unchanged", False), ("untold", True)]
    with warehouse.begin() as connection:
        for run_id, is_unannounced in reports:
            planned_at = "now" if run_id == "new" else "2020-01-01"
            connection.exec_driver_sql(
                "INSERT INTO weixin.run_report (run_id, dataset, appid, publication_date, "
                "planned_at, is_unannounced) VALUES (%s, '', '', 'today', %s, %s)",
                (run_id, planned_at, is_unannounced),
            )

    with loader.begin() as connection:
        connection.exec_driver_sql(delete)

    assert rows(warehouse, "SELECT run_id FROM weixin.run_report ORDER BY 1") == [
        ("new",),
        ("untold",),
    ]
