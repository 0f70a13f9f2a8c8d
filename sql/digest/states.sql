-- Return how far the figures of a day are in: one row per account that is collected, dataset, state
-- and kind of error, with the days asked for. The states are those of the noon after the day. An
-- account without any row has one without a dataset. Datasets of followers have rows only if WeChat
-- has answered within the last week.
{% from "analytics/days.jinja" import days %}
WITH day AS (
    {{ days(
        "((:day + 1 + time '12:00') AT TIME ZONE 'Asia/Shanghai')", every_dataset, datasets
    ) | indent }}
)

SELECT
    account.unique_name AS account_name,
    asked.dataset,
    asked.is_of_articles,
    asked.state,
    asked.error_kind,
    asked.error_code,
    asked.days
FROM weixin.dim_account AS account
LEFT JOIN (
    SELECT
        day.appid,
        day.dataset,
        dataset.is_of_articles,
        day.state,
        day.error_kind,
        day.error_code,
        array_agg(day.day ORDER BY day.day) AS days
    FROM day
    INNER JOIN (
        VALUES
        {% for dataset in every_dataset if dataset.is_told %}
        ('{{ dataset.name }}', {{ "TRUE" if dataset.describes_articles else "FALSE" }}, {{
            dataset.row_days
        }}){{ "," if not loop.last }}
        {% endfor %}
    ) AS dataset (name, is_of_articles, row_days)
        ON
            day.dataset = dataset.name
            AND day.day BETWEEN :day - dataset.row_days + 1 AND :day
    WHERE
        dataset.is_of_articles
        OR EXISTS (
            SELECT FROM weixin.coverage AS told
            WHERE
                told.dataset = day.dataset
                AND told.appid = day.appid
                AND told.day BETWEEN :day - 6 AND :day
                AND told.ready_at IS NOT NULL
        )
    GROUP BY
        day.appid, day.dataset, dataset.is_of_articles, day.state, day.error_kind, day.error_code
) AS asked
    ON account.appid = asked.appid
WHERE account.is_active
ORDER BY account.unique_name, asked.dataset, asked.state
