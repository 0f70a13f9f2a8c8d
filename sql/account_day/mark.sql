-- Mark account days as stale: one row per dataset and account, from the first day that changed. The
-- successor's days concern getarticletotal's too, where an article was published that this one has
-- not listed.
{% from "analytics/both.jinja" import new, old with context %}
WITH changed AS (
    SELECT *
    FROM unnest(
            cast(:datasets AS text[]), cast(:appids AS text[]), cast(:days AS date[])
        ) AS changed (dataset, appid, day)
)

INSERT INTO weixin.account_day_state AS state (dataset, appid, stale_from)
SELECT
    dataset,
    appid,
    min(day)
FROM (
    SELECT *
    FROM changed
    UNION ALL
    SELECT
        computed.dataset,
        computed.appid,
        changed.day
    FROM changed
    INNER JOIN weixin.account_day_state AS computed
        ON changed.appid = computed.appid AND computed.dataset = '{{ old.name }}'
    INNER JOIN weixin.dim_article AS article
        ON changed.appid = article.appid AND changed.day = article.publication_date
    WHERE changed.dataset = '{{ new.name }}' AND NOT article.unlisted_since ? '{{ old.name }}'
) AS marked
GROUP BY dataset, appid
ORDER BY dataset, appid
ON CONFLICT (dataset, appid) DO UPDATE
    SET stale_from = excluded.stale_from
    WHERE coalesce(state.stale_from > excluded.stale_from, TRUE)
