-- An article's totals in the dataset: one row per day, with the common metrics and the readers that
-- it gained that day, where the day before is known.
SELECT
    fact.stat_date,
    {% for common in dataset.common if common.metric %}
    fact.{{ common.metric.name }} AS {{ common.name }},
    {% endfor %}
    fact.{{ dataset.readers }} - CASE
        WHEN fact.stat_date = fact.publication_date THEN coalesce(before.{{ dataset.readers }}, 0)
        ELSE before.{{ dataset.readers }}
    END AS gained
FROM weixin.{{ fact }} AS fact
LEFT JOIN weixin.{{ fact }} AS before
    ON
        fact.appid = before.appid
        AND fact.msgid = before.msgid
        AND fact.stat_date - 1 = before.stat_date
WHERE fact.appid = :appid AND fact.msgid = :msgid
ORDER BY fact.stat_date
