-- Return how far the figures of a day are in: one row per account that is collected, dataset, state
-- and kind of error, with the days asked for. What coverage has now is judged as at the noon after
-- the day. An unconfirmed answer that lists what an answer of an earlier day listed is in. An
-- account that no run has asked about has no row. Datasets of followers have rows only if WeChat
-- has answered within the last week.
{% from "analytics/days.jinja" import days %}
{% from "weixin/macros.jinja" import is_repeated %}
WITH asked AS (
    {{ days(
        "((:day + 1 + time '12:00') AT TIME ZONE 'Asia/Shanghai')", every_dataset, datasets
    ) | indent }}
)

SELECT
    asked.appid,
    asked.dataset,
    told_dataset.is_of_articles,
    counting.state,
    asked.error_kind,
    array_agg(asked.day ORDER BY asked.day) AS days
FROM asked
INNER JOIN weixin.dim_account AS account
    ON asked.appid = account.appid AND account.is_active
CROSS JOIN
    LATERAL (
        SELECT
            CASE
                WHEN asked.state = 'unconfirmed' AND {{ is_repeated("asked") }} THEN 'in'
                ELSE asked.state
            END AS state
    ) AS counting
INNER JOIN (
    VALUES
    {% for dataset in every_dataset if dataset.is_told %}
    ('{{ dataset.name }}', {{ "TRUE" if dataset.describes_articles else "FALSE" }}, {{
        dataset.row_days
    }}){{ "," if not loop.last }}
    {% endfor %}
) AS told_dataset (name, is_of_articles, row_days)
    ON
        asked.dataset = told_dataset.name
        AND asked.day BETWEEN :day - told_dataset.row_days + 1 AND :day
WHERE
    told_dataset.is_of_articles
    OR EXISTS (
        SELECT FROM weixin.coverage AS told
        WHERE
            told.dataset = asked.dataset
            AND told.appid = asked.appid
            AND told.day BETWEEN :day - 6 AND :day
            AND told.ready_at IS NOT NULL
    )
GROUP BY
    asked.appid, account.unique_name, asked.dataset, told_dataset.is_of_articles, counting.state,
    asked.error_kind
ORDER BY account.unique_name, asked.dataset, counting.state, min(asked.day)
