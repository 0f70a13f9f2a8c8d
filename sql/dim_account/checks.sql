{# Of a dataset that describes articles. #}
{% if dataset.describes_articles %}
-- warn: account_publishes: an account that used to publish still lists new articles
-- do: nothing to do if nobody publishes; else compare with WeChat's console
-- An account is quiet when more than seven publication days after that of its newest article were
-- answered and list none. A day that was not asked for, or not answered, shows nothing. Without
-- OFFSET 0 the planner reads all articles that the dataset ever listed of an account.
WITH quiet AS MATERIALIZED (
    SELECT
        planned.appid,
        newest.publication_date
    FROM (
        SELECT DISTINCT appid
        FROM weixin.run_report
        WHERE
            run_id = :run_id
            AND dataset = :dataset
            AND installation = :installation
            AND is_planned
            AND NOT is_probe
    ) AS planned
    CROSS JOIN
        LATERAL (
            SELECT article.publication_date
            FROM weixin.dim_article AS article
            WHERE
                article.appid = planned.appid
                AND EXISTS (
                    SELECT
                    FROM weixin.article_sighting AS sighting
                    WHERE
                        sighting.dataset = :dataset
                        AND sighting.appid = article.appid
                        AND sighting.msgid = article.msgid
                    OFFSET 0 -- noqa: AM09
                )
            ORDER BY article.publication_date DESC
            LIMIT 1
        ) AS newest
    WHERE
        EXISTS (
            SELECT
            FROM weixin.coverage AS later
            WHERE
                later.dataset = :dataset
                AND later.appid = planned.appid
                AND later.publication_date > newest.publication_date
                AND later.ready_at IS NOT NULL
            ORDER BY later.publication_date
            OFFSET 7
        )
),

-- the usual pause: the mean of those between its last ten publication days, of three at least
habit AS (
    SELECT
        quiet.appid,
        quiet.publication_date,
        (max(last.publication_date) - min(last.publication_date))::numeric
        / (count(*) - 1) AS pause_days
    FROM quiet
    CROSS JOIN
        LATERAL (
            SELECT DISTINCT article.publication_date
            FROM weixin.dim_article AS article
            WHERE
                article.appid = quiet.appid
                AND EXISTS (
                    SELECT
                    FROM weixin.article_sighting AS sighting
                    WHERE
                        sighting.dataset = :dataset
                        AND sighting.appid = article.appid
                        AND sighting.msgid = article.msgid
                    OFFSET 0 -- noqa: AM09
                )
            ORDER BY article.publication_date DESC
            LIMIT 10
        ) AS last
    GROUP BY quiet.appid, quiet.publication_date
    HAVING count(*) >= 3
)

SELECT
    habit.appid,
    NULL AS publication_date,
    NULL AS msgid,
    format(
        'lists nothing new since %s; it used to publish every %s',
        habit.publication_date,
        CASE round(habit.pause_days) WHEN 1 THEN 'day' ELSE round(habit.pause_days) || ' days' END
    ) AS detail
FROM habit
WHERE
    EXISTS (
        SELECT
        FROM weixin.coverage AS later
        WHERE
            later.dataset = :dataset
            AND later.appid = habit.appid
            AND later.publication_date > habit.publication_date
            AND later.ready_at IS NOT NULL
        ORDER BY later.publication_date
        OFFSET (SELECT floor(3 * habit.pause_days)::bigint)
    );
{% endif %}
