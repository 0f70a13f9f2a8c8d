{#-
Statements that growth.py runs for a dataset, from `-- name` to the next name. They make the rows of
the mornings from `first` to `last`, which follow those that are stored. A parameter in braces is
inserted as text. In one of ten rows, four figures are one too low until the next morning.
-#}
{% set window = dataset.window %}
{% set title = "'北京今天的早报：要闻' || article.msgid" %}
{% set content_url = "'http://mp.weixin.qq.com/s?__biz=' || article.appid || '==&mid=' || article.msgid || '&sn=' || md5(article.msgid) || '#rd'" %}
{% macro instant(morning) %}(({{ morning }}) + time '10:30') AT TIME ZONE 'Asia/Shanghai'{% endmacro %}
{% macro is_corrected(msgid, stat_date) %}(mod(hashtext({{ msgid }} || {{ stat_date }}), 10) = 0){% endmacro %}
{#- The articles that were published between two days. -#}
{% macro articles(since, until) %}(
    SELECT
        'wx' || to_char(number, 'FM0000') AS appid,
        publication_date::date AS publication_date,
        (2247483647 + (publication_date::date - date '2014-12-01')) AS message_id,
        position,
        (2247483647 + (publication_date::date - date '2014-12-01')) || '_' || position AS msgid
    FROM generate_series(1, {{ accounts }}) AS number
    CROSS JOIN generate_series(
        date '{{ since }}', date '{{ until }}' - interval '1 day', interval '1 day'
    ) AS publication_date
    CROSS JOIN generate_series(1, {{ articles_a_day }}) AS position
) AS article{% endmacro %}
{#- The rows of the articles before a day, with their figures. -#}
{% macro made(since, last) %}{{ articles(since, last) }}
CROSS JOIN generate_series(0, {{ window - 1 }}) AS step
CROSS JOIN LATERAL (SELECT article.publication_date + step AS stat_date) AS day
INNER JOIN shape
    ON
        shape.number = mod(abs(hashtext(article.appid || article.msgid)), 100)
        AND shape.step = step.step
CROSS JOIN LATERAL (
    SELECT {{ instant("greatest(day.stat_date + 1, date '%s')" % first) }} AS at
) AS morning
WHERE day.stat_date < date '{{ last }}'{% endmacro %}
{% macro figure(metric, place, low) -%}
{% set total = "floor(shape.readers * shape.reached / %s)::bigint" % (place + 1) %}
{% if metric.entry_keys.startswith("scene") -%}
jsonb_build_array(
    {% for scene in ["全部", "公众号消息", "聊天会话", "朋友圈", "公众号主页", "推荐", "其他"] %}
    jsonb_build_object('user_count', {{ total }} / {{ loop.index }}, 'scene_desc', '{{ scene }}')
    {{- "," if not loop.last }}
    {% endfor %}
)
{%- elif metric.entry_keys -%}
jsonb_build_array(
    {% for position in range(1, 6) %}
    jsonb_build_object(
        'position', {{ position }}, 'rate', round((shape.reached * 0.7654321 / {{ position }})::numeric, 7)
    ){{ "," if not loop.last }}
    {% endfor %}
)
{%- elif metric.kind.value == "numeric" -%}
round((shape.reached * 0.7654321)::numeric, 7)
{%- elif metric.name.endswith(("kanyikan_read_user", "kanyikan_read_count", "souyisou_read_user", "souyisou_read_count")) -%}
CASE WHEN mod(shape.number, 10) < 3 THEN {{ total }} END
{%- else -%}
{{ total }}{{ " - " ~ low if metric in lowered }}
{%- endif %}
{%- endmacro %}

-- shapes
CREATE TEMPORARY TABLE shape ON COMMIT DROP AS
SELECT
    shape.number, shape.step, is_low,
    {% for metric in dataset.metrics %}
    {{ figure(metric, loop.index0, "is_low::integer") }} AS {{ metric.name }},
    {% endfor %}
    NULL::text AS figures
FROM (
    SELECT
        number,
        step,
        3000 + 300 * number AS readers,
        1 - 0.94 * 0.6::float8 ^ (step + 1) - 0.06 * ({{ window }} - step - 1) / {{ window }}::float8 AS reached
    FROM generate_series(0, 99) AS number
    CROSS JOIN generate_series(0, {{ window - 1 }}) AS step
) AS shape
CROSS JOIN (VALUES (FALSE), (TRUE)) AS low (is_low);
UPDATE shape
SET figures = substr(replace(
    (jsonb_strip_nulls(to_jsonb(shape)) - ARRAY['number', 'step', 'is_low'])::text, '": ', '":'
), 2);
ANALYZE shape

-- accounts
INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at)
SELECT DISTINCT appid, '公众号 ' || appid, appid, {{ instant("date '%s'" % first) }}
FROM {{ articles(since, last) }}
ON CONFLICT DO NOTHING

-- collected
INSERT INTO weixin.collected_since (appid, dataset, since_date, catch_up_days)
SELECT appid, '{{ dataset.name }}', date '{{ since }}', 60 FROM weixin.dim_account
ON CONFLICT DO NOTHING

-- articles
INSERT INTO weixin.dim_article AS stored (
    appid, msgid, message_id, position, publication_date, title, content_url,
    first_seen_at, unlisted_since
)
SELECT
    appid, msgid, message_id, position, publication_date, {{ title }}, {{ content_url }}, {{ instant("publication_date + 1") }}, '{"{{ dataset.name }}": null}'
FROM {{ articles(since, last) }}
ON CONFLICT (appid, msgid) DO UPDATE
SET unlisted_since = stored.unlisted_since || excluded.unlisted_since
WHERE NOT stored.unlisted_since ? '{{ dataset.name }}'

-- facts
INSERT INTO weixin.{{ dataset.fact }} (
    appid, msgid, stat_date, publication_date,
    {% for metric in dataset.metrics %}{{ metric.name }}, {% endfor %}
    raw_response_id, fetched_at, changed_at
)
SELECT
    article.appid, article.msgid, day.stat_date, article.publication_date,
    {% for metric in dataset.metrics %}shape.{{ metric.name }}, {% endfor %}
    1, morning.at, morning.at
FROM {{ made(since, last) }}
    AND shape.is_low = {{ is_corrected("article.msgid", "day.stat_date") }}
    {% if not is_first %}
    AND day.stat_date >= date '{{ first }}' - 1
    {% endif %}
ORDER BY morning.at, article.appid, article.publication_date, article.msgid

-- history
INSERT INTO weixin.fact_history (
    dataset, appid, item, stat_date, changed_at, replaced_at, cause, row
)
SELECT
    '{{ dataset.name }}', fact.appid, fact.msgid, fact.stat_date, fact.changed_at,
    {{ instant("fact.stat_date + 2") }}, 'wechat', to_jsonb(fact)
FROM weixin.{{ dataset.fact }} AS fact
WHERE {{ is_corrected("fact.msgid", "fact.stat_date") }} AND fact.stat_date BETWEEN date '{{ first }}' - {{ 2 if not is_first else 99 }} AND date '{{ last }}' - 2

-- corrections
UPDATE weixin.{{ dataset.fact }} AS fact
SET
    {% for metric in lowered %}
    {{ metric.name }} = fact.{{ metric.name }} + 1,
    {% endfor %}
    fetched_at = {{ instant("fact.stat_date + 2") }},
    changed_at = {{ instant("fact.stat_date + 2") }}
WHERE {{ is_corrected("fact.msgid", "fact.stat_date") }} AND fact.stat_date BETWEEN date '{{ first }}' - {{ 2 if not is_first else 99 }} AND date '{{ last }}' - 2

-- answers kept
INSERT INTO weixin.raw_response (
    dataset, appid, day, body, body_sha256, fetched_at, last_seen_at
)
SELECT
    '{{ dataset.name }}', account.appid, morning.day - age, '\x00',
    sha256(convert_to(account.appid || age || morning.day, 'UTF8')),
    {{ instant("morning.day") }}, {{ instant("morning.day") }}
FROM (
    SELECT generate_series(date '{{ first }}', date '{{ last }}', interval '1 day')::date AS day
) AS morning
CROSS JOIN weixin.dim_account AS account
CROSS JOIN generate_series(1, {{ window }}) AS age
ORDER BY morning.day, account.appid, age

-- reports
INSERT INTO weixin.run_report (
    run_id, dataset, appid, day, planned_at, calls, inserted, updated, unchanged, attempted_at
)
SELECT
    'scheduled__' || morning.day, '{{ dataset.name }}', account.appid, morning.day - age,
    {{ instant("morning.day") }}, 1, {{ articles_a_day }}, 1, {{ articles_a_day }} * (age - 1),
    {{ instant("morning.day") }}
FROM (
    SELECT generate_series(date '{{ first }}', date '{{ last }}', interval '1 day')::date AS day
) AS morning
CROSS JOIN weixin.dim_account AS account
CROSS JOIN generate_series(1, {{ window + 1 }}) AS age

-- calls
INSERT INTO weixin.api_call (appid, endpoint, beijing_date, calls)
SELECT account.appid, '{{ dataset.path }}', morning.day, {{ window + 1 }}
FROM (
    SELECT generate_series(date '{{ first }}', date '{{ last }}', interval '1 day')::date AS day
) AS morning
CROSS JOIN weixin.dim_account AS account

-- coverage
INSERT INTO weixin.coverage AS stored (
    dataset, appid, day, settled, ready_at, list_sha256, article_count, attempted_at, listed_since,
    fetched_at, through_date, newest_date, row_count
)
SELECT
    '{{ dataset.name }}', appid, publication_date,
    CASE WHEN publication_date + {{ window + 1 }} <= date '{{ last }}' THEN 'final' END,
    answer.at, list_sha256, {{ articles_a_day }}, answer.at, {{ instant("publication_date + 1") }},
    answer.at, answer.through_date, answer.through_date,
    {{ articles_a_day }} * (answer.through_date - publication_date + 1)
FROM (
    SELECT
        appid, publication_date,
        sha256(string_agg(convert_to(msgid, 'UTF8'), '\x00'::bytea ORDER BY msgid)) AS list_sha256
    FROM {{ articles(since, last) }}
    GROUP BY appid, publication_date
) AS day
CROSS JOIN LATERAL (
    SELECT
        {{ instant("least(publication_date + %s, date '%s')" % (window + 1, last)) }} AS at,
        least(publication_date + {{ window - 1 }}, date '{{ last }}' - 1) AS through_date
) AS answer
ON CONFLICT (appid, dataset, day) DO UPDATE
SET
    settled = excluded.settled,
    ready_at = excluded.ready_at,
    attempted_at = excluded.attempted_at,
    fetched_at = excluded.fetched_at,
    through_date = excluded.through_date,
    newest_date = excluded.newest_date,
    row_count = excluded.row_count

-- answers
SELECT
    appid, publication_date, {{ instant("date '%s'" % last) }},
    '{"is_delay":false,"list":[' || string_agg(item, ',' ORDER BY msgid) || ']}'
FROM (
    SELECT
        article.appid, article.publication_date, article.msgid,
        format(
            '{"ref_date":"%s","msgid":"%s","title":"%s","content_url":"%s","%s":[',
            article.publication_date, article.msgid, {{ title }}, {{ content_url }},
            '{{ dataset.rows_key }}'
        ) || string_agg(
            '{"stat_date":"' || day.stat_date || '",' || shape.figures, ',' ORDER BY day.stat_date
        ) || ']}' AS item
    FROM {{ made(since, last) }}
        AND shape.is_low = (
            {{ is_corrected("article.msgid", "day.stat_date") }}
            AND day.stat_date = date '{{ last }}' - 1
        )
    GROUP BY article.appid, article.publication_date, article.msgid
) AS listed
GROUP BY appid, publication_date
ORDER BY appid, publication_date
