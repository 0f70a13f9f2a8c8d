"""A made-up warehouse for the page: many accounts, years of days, and some of every trouble."""

from datetime import datetime

from sqlalchemy import Connection

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.rules import OFFLINE

IN_TROUBLE = {
    "blocked": (
        "configuration",
        40164,
        "this machine's IP is not on the account's whitelist",
        "add this machine's IP 203.0.113.7 to the IP whitelist in WeChat's console",
    ),
    "secret": (
        "configuration",
        40125,
        "the AppSecret is wrong",
        "correct the password in the connection",
    ),
}
"""Kind, errcode, cause and cure of the accounts whose calls are refused."""
NAMES = [
    *("春风", "夏雨", "秋月", "冬雪", "山海", "江湖", "星辰", "晨光"),
    *("暮色", "远山", "近水", "云端", "麦田", "茶馆", "书房", "灯塔"),
]
TITLES = ["老旧小区改造手记", "深夜，医保还亮着灯", "乡村民宿不难", "县城里的咖啡馆"]


def fill(connection: Connection, dataset: Dataset, accounts: int, days: int, now: datetime) -> None:
    """
    Make an article a day and account, a daily run a day, and some trouble.

    Of every 16 accounts one is refused (errcode 40164), one has a wrong secret since ten days, one
    waits for WeChat, one lost days, one is retired, and one is not collected any more.
    """
    today = clock.beijing_date(now)
    values = {
        "dataset": dataset.name,
        "today": today,
        "accounts": accounts,
        "days": days,
        "window": dataset.window,
        "names": NAMES,
        "titles": TITLES,
    }
    for statement in _statements(dataset):
        connection.exec_driver_sql(statement, values)
    for slot, kind, error_code, cause, cure, since in (
        (5, *IN_TROUBLE["blocked"], 1),
        (6, *IN_TROUBLE["secret"], 10),
    ):
        refused = values | {
            "slot": slot,
            "kind": kind,
            "code": error_code,
            "cause": cause,
            "cure": cure,
            "since": since,
        }
        connection.exec_driver_sql(_REFUSE, refused)
        connection.exec_driver_sql(_OPEN_INCIDENT, refused)
    connection.exec_driver_sql(_TROUBLE, values | {"offline": OFFLINE})


_ACCOUNT = """
    SELECT
        number,
        'wx' || lpad(number::text, greatest(4, length(number::text)), '0') AS appid,
        mod(number, 16) AS slot
    FROM generate_series(1, %(accounts)s) AS number
"""
_PAIR = f"""
    SELECT account.*, %(today)s::date - 1 - step AS day
    FROM ({_ACCOUNT}) AS account
    CROSS JOIN generate_series(0, %(days)s - 1) AS step
"""
_MORNING = "(least(pair.day + %(window)s, %(today)s::date) + time '00:31') AT TIME ZONE 'UTC'"


def _statements(dataset: Dataset) -> list[str]:
    counts = [metric.name for metric in dataset.totals]
    columns = ", ".join(counts)
    grown = (
        "(900 + mod(number, 37) * 40) * (1 - exp(-0.7 * (step + 1)))"
        " * (0.6 + mod((day - date '2020-01-01') * 7, 11) / 12.0)"
    )
    shares = ", ".join(f"({grown} / {n % 9 + 1})::bigint" for n, _ in enumerate(counts))
    msgid = "(2247483647 + (pair.day - date '2014-01-01'))::text || '_1'"
    return [
        f"""
        INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at)
        SELECT
            appid,
            (%(names)s::text[])[mod(number, 16) + 1]
            || CASE WHEN number > 16 THEN ' ' || number ELSE '' END,
            'weixin_' || number, slot <> 15, now()
        FROM ({_ACCOUNT}) AS account
        ON CONFLICT DO NOTHING
        """,
        f"""
        INSERT INTO weixin.collected_since (dataset, appid, since_date, catch_up_days)
        SELECT %(dataset)s, appid, %(today)s::date - %(days)s, 60
        FROM ({_ACCOUNT}) AS account
        """,
        f"""
        INSERT INTO weixin.coverage (
            dataset, appid, day, settled, ready_at, list_sha256, article_count, attempted_at,
            fetched_at, through_date, row_count
        )
        SELECT
            %(dataset)s, appid, day,
            CASE WHEN day + %(window)s <= %(today)s::date THEN 'final' END,
            {_MORNING}, sha256(CASE WHEN listed = 0 THEN '' ELSE appid END::bytea), listed,
            {_MORNING}, {_MORNING}, least(day + %(window)s, %(today)s::date) - 1,
            listed * least(%(window)s, %(today)s::date - day)
        FROM (
            SELECT *, CASE WHEN mod(day - date '2020-01-01', 9) = 8 THEN 0 ELSE 1 END AS listed
            FROM ({_PAIR}) AS pair
        ) AS pair
        WHERE slot <> 15 OR day < %(today)s::date - 20
        """,
        f"""
        INSERT INTO weixin.dim_article (
            appid, msgid, message_id, position, publication_date, title, first_seen_at,
            unlisted_since
        )
        SELECT
            appid, {msgid}, split_part({msgid}, '_', 1), 1, day,
            (%(titles)s::text[])[mod(day - date '2020-01-01', 4) + 1]
            || '|' || to_char(day, 'MM-DD'),
            {_MORNING}, jsonb_build_object(%(dataset)s, NULL)
        FROM ({_PAIR}) AS pair
        """,
        f"""
        INSERT INTO weixin.{dataset.fact} (
            appid, msgid, stat_date, publication_date, {columns}, raw_response_id, fetched_at,
            changed_at
        )
        SELECT appid, {msgid}, day + step, day, {shares}, 1, {_MORNING}, {_MORNING}
        FROM ({_PAIR}) AS pair
        CROSS JOIN generate_series(0, %(window)s - 1) AS step
        WHERE day + step < %(today)s::date
        """,
        f"""
        INSERT INTO weixin.run_report (
            run_id, dataset, appid, day, planned_at, calls, inserted, updated, unchanged, rejected,
            attempted_at
        )
        SELECT
            'scheduled__' || to_char(morning, 'YYYY-MM-DD') || 'T00:30:00+00:00', %(dataset)s,
            appid, morning - back, (morning + time '00:30') AT TIME ZONE 'UTC', 1, 1, 0, back - 1,
            0, (morning + time '00:31') AT TIME ZONE 'UTC'
        FROM (SELECT *, day + 1 AS morning FROM ({_PAIR}) AS pair) AS pair
        CROSS JOIN generate_series(1, %(window)s) AS back
        """,
    ]


_OF_SLOT = "appid IN (SELECT appid FROM (" + _ACCOUNT + ") AS account WHERE slot = %(slot)s)"
_REFUSE = f"""
    WITH refused AS (
        UPDATE weixin.coverage
        SET
            error_kind = %(kind)s, error_code = %(code)s, error = %(cause)s, cure = %(cure)s,
            settled = NULL, ready_at = NULL, list_sha256 = NULL, article_count = 0,
            fetched_at = NULL, through_date = NULL, row_count = NULL
        WHERE
            dataset = %(dataset)s AND {_OF_SLOT} AND day >= %(today)s::date - %(since)s
        RETURNING appid, day
    )

    UPDATE weixin.run_report AS report
    SET inserted = 0, unchanged = 0
    FROM refused
    WHERE
        report.appid = refused.appid AND report.day = refused.day
        AND report.dataset = %(dataset)s
"""
_OPEN_INCIDENT = f"""
    INSERT INTO weixin.incident (
        dataset, identity, severity, kind, appid, account, conn_id, cause, cure, days,
        code, opened_at, news_at, told_at
    )
    SELECT
        %(dataset)s, account.appid, 'failure', %(kind)s, account.appid, account.name,
        account.conn_id, %(cause)s, %(cure)s,
        ARRAY(
            SELECT %(today)s::date - back FROM generate_series(1, %(since)s) AS back ORDER BY 1
        ),
        coalesce(%(code)s::text, ''),
        (%(today)s::date - %(since)s + 1 + time '00:33') AT TIME ZONE 'UTC',
        (%(today)s::date + time '00:33') AT TIME ZONE 'UTC', now()
    FROM weixin.dim_account AS account
    WHERE {_OF_SLOT}
"""
_TROUBLE = f"""
    UPDATE weixin.coverage AS coverage
    SET error_kind = 'not_ready', ready_at = CASE
        WHEN day < %(today)s::date - 1 THEN ready_at - interval '1 day' END
    FROM ({_ACCOUNT}) AS account
    WHERE
        coverage.appid = account.appid AND slot = 9 AND coverage.dataset = %(dataset)s
        AND day >= %(today)s::date - 3;
    DELETE FROM weixin.coverage AS coverage
    USING ({_ACCOUNT}) AS account
    WHERE
        coverage.appid = account.appid AND coverage.dataset = %(dataset)s
        AND (
            (slot = 11 AND %(today)s::date - day BETWEEN 70 AND 90)
            OR (slot = 12 AND %(today)s::date - day BETWEEN 14 AND 16)
        );
    UPDATE weixin.coverage AS coverage
    SET
        error_kind = 'endpoint_offline', error_code = %(offline)s,
        error = 'WeChat took this endpoint offline', cure = 'use the successor',
        settled = NULL
    FROM ({_ACCOUNT}) AS account
    WHERE
        coverage.appid = account.appid AND slot = 13 AND coverage.dataset = %(dataset)s
        AND day >= %(today)s::date - 12
"""
