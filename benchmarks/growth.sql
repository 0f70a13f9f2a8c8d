{#-
Statements that growth.py runs for a dataset, from `-- name` to the next name. They make the rows of
the mornings from `first` to `last`, which follow those that are stored. A parameter in braces is
inserted as text. In one of ten rows, four figures are one too low until the next morning.
-#}
{% set window = dataset.window %}
{% macro instant(morning) %}(({{ morning }}) + time '10:30') AT TIME ZONE 'Asia/Shanghai'{% endmacro %}
{% macro is_corrected(fact) %}mod(hashtext({{ fact }}.msgid || {{ fact }}.stat_date), 10) = 0{% endmacro %}
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
{#- The rows of the articles, and what their figures are computed from. -#}
{% macro made(since, last) %}(
    SELECT
        article.*,
        article.publication_date + step AS stat_date,
        1 - 0.94 * 0.6::float8 ^ (step + 1) - 0.06 * ({{ window }} - step - 1) / {{ window }}::float8 AS reached,
        3000 + abs(hashtext(article.appid || article.msgid)) % 30000 AS readers
    FROM {{ articles(since, last) }}
    CROSS JOIN generate_series(0, {{ window - 1 }}) AS step
    WHERE article.publication_date + step < date '{{ last }}'
) AS made
CROSS JOIN LATERAL (
    SELECT ({{ is_corrected("made") }} AND made.stat_date = date '{{ last }}' - 1)::integer AS is_low
) AS correction{% endmacro %}
{% macro figure(metric, place, low) -%}
{% set total = "floor(made.readers * made.reached / %s)::bigint" % (place + 1) %}
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
        'position', {{ position }}, 'rate', round((made.reached * 0.7654321 / {{ position }})::numeric, 7)
    ){{ "," if not loop.last }}
    {% endfor %}
)
{%- elif metric.kind.value == "numeric" -%}
round((made.reached * 0.7654321)::numeric, 7)
{%- elif metric.name.endswith(("kanyikan_read_user", "kanyikan_read_count", "souyisou_read_user", "souyisou_read_count")) -%}
CASE WHEN mod(made.readers, 10) < 3 THEN {{ total }} END
{%- else -%}
{{ total }}{{ " - " ~ low if metric in lowered }}
{%- endif %}
{%- endmacro %}

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
    appid, msgid, message_id, position, publication_date, title, content_url, publish_type,
    first_seen_at, unlisted_since
)
SELECT
    appid, msgid, message_id, position, publication_date, '北京今天的早报：要闻' || msgid,
    'http://mp.weixin.qq.com/s?__biz=' || appid || '==&mid=' || msgid || '&sn=' || md5(msgid) || '#rd',
    0, {{ instant("publication_date + 1") }}, '{"{{ dataset.name }}": null}'
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
    made.appid, made.msgid, made.stat_date, made.publication_date,
    {% for metric in dataset.metrics %}
    {{ figure(metric, loop.index0, ("(%s)::integer" % is_corrected("made"))) }},
    {% endfor %}
    1, morning.at, morning.at
FROM {{ made(since, last) }}
CROSS JOIN LATERAL (
    SELECT {{ instant("greatest(made.stat_date + 1, date '%s')" % first) }} AS at
) AS morning
WHERE {{ "made.stat_date >= date '%s' - 1" % first if not is_first else "TRUE" }}
ORDER BY morning.at, made.appid, made.publication_date, made.msgid

-- history
INSERT INTO weixin.fact_history (
    dataset, appid, item, stat_date, changed_at, replaced_at, cause, row
)
SELECT
    '{{ dataset.name }}', fact.appid, fact.msgid, fact.stat_date, fact.changed_at,
    {{ instant("fact.stat_date + 2") }}, 'wechat', to_jsonb(fact)
FROM weixin.{{ dataset.fact }} AS fact
WHERE {{ is_corrected("fact") }} AND fact.stat_date BETWEEN date '{{ first }}' - {{ 2 if not is_first else 99 }} AND date '{{ last }}' - 2

-- corrections
UPDATE weixin.{{ dataset.fact }} AS fact
SET
    {% for metric in lowered %}
    {{ metric.name }} = fact.{{ metric.name }} + 1,
    {% endfor %}
    fetched_at = {{ instant("fact.stat_date + 2") }},
    changed_at = {{ instant("fact.stat_date + 2") }}
WHERE {{ is_corrected("fact") }} AND fact.stat_date BETWEEN date '{{ first }}' - {{ 2 if not is_first else 99 }} AND date '{{ last }}' - 2

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
    replace(json_build_object('is_delay', FALSE, 'list', json_agg(item ORDER BY msgid))::text, '" : ', '":')
FROM (
    SELECT
        made.appid, made.publication_date, made.msgid,
        json_build_object(
            'ref_date', made.publication_date,
            'msgid', made.msgid,
            'title', '北京今天的早报：要闻' || made.msgid,
            'content_url', 'http://mp.weixin.qq.com/s?__biz=' || made.appid || '==&mid=' || made.msgid
            || '&sn=' || md5(made.msgid) || '#rd',
            'publish_type', 0,
            '{{ dataset.rows_key }}', json_agg(json_strip_nulls(json_build_object(
                'stat_date', made.stat_date,
                {% for metric in dataset.metrics %}
                '{{ metric.name }}', {{ figure(metric, loop.index0, "correction.is_low") }}
                {{- "," if not loop.last }}
                {% endfor %}
            )) ORDER BY made.stat_date)
        ) AS item
    FROM {{ made(since, last) }}
    GROUP BY made.appid, made.publication_date, made.msgid
) AS listed
GROUP BY appid, publication_date
ORDER BY appid, publication_date
