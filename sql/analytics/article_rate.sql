-- One row per article and stat_date of {{ dataset.name }}: the rates people use, from totals.
-- Never average them: divide sums by sums
{% from "analytics/macros.jinja" import quotient %}
CREATE VIEW analytics.article_rate{{ dataset.suffix }} (
    -- The account
    appid,
    -- The article, see analytics.article
    msgid,
    -- Day of publication (Beijing)
    publication_date,
    -- The day (Beijing) at whose end the totals stood
    stat_date,
    {% for rate in dataset.rates %}
    -- {{ rate.numerator }} / {{ rate.denominator }}: {{ rate.meaning }}. NULL when the denominator
    -- is 0; above 1 where WeChat's figures exceed each other
    {{ rate.name }}{{ "," if not loop.last }}
    {% endfor %}
) AS
SELECT
    appid,
    msgid,
    publication_date,
    stat_date,
    {% for rate in dataset.rates[:-1] %}
    {{ quotient(rate) }} AS {{ rate.name }},
    {% endfor %}
    {{ quotient(dataset.rates[-1]) }} AS {{ dataset.rates[-1].name }}
FROM weixin.{{ dataset.fact }}
