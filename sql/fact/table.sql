{#- Create the fact of a dataset: one row per key, one column per metric. Nothing is dropped. -#}
CREATE TABLE IF NOT EXISTS weixin.{{ dataset.fact }} (
    appid text NOT NULL,
    {% if dataset.item %}
    {{ dataset.item.name }} {{ "bigint" if dataset.item.is_number else "text" }} NOT NULL,
    {% endif %}
    stat_date date NOT NULL,
    {% if dataset.describes_articles %}
    publication_date date NOT NULL,
    {% endif %}
    {% for metric in dataset.metrics %}
    {{ metric.name }} {{ metric.kind.value }},
    {% endfor %}
    extra jsonb,
    raw_response_id bigint NOT NULL,
    fetched_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY ({{ dataset.key | join(", ") }})
);
-- A newer release may declare further metrics.
ALTER TABLE weixin.{{ dataset.fact }}
{% for metric in dataset.metrics %}
ADD COLUMN IF NOT EXISTS {{ metric.name }} {{ metric.kind.value }}{{ "," if not loop.last }}
{% endfor %};
{% if dataset.item and not dataset.describes_articles %}
CREATE INDEX IF NOT EXISTS {{ dataset.fact }}_day ON weixin.{{ dataset.fact }} (appid, stat_date);
{% endif %}
{% if dataset.describes_articles %}
-- Without autosummarize, a query of one day reads all rows since the last vacuum: months of them.
CREATE INDEX IF NOT EXISTS {{ dataset.fact }}_stat_date ON weixin.{{ dataset.fact }}
USING brin (stat_date, (stat_date + 1)) WITH (autosummarize = on);
-- An account's period by publication day: of each row seven bytes.
CREATE INDEX IF NOT EXISTS {{ dataset.fact }}_publication_date
ON weixin.{{ dataset.fact }} (appid, publication_date);
-- The few rows of articles that were moved to a later day: see
-- analytics/account_day_of_endpoint.sql.
CREATE INDEX IF NOT EXISTS {{ dataset.fact }}_moved
ON weixin.{{ dataset.fact }} (appid, publication_date)
WHERE stat_date < publication_date;
{% endif %}
{% macro comment(column, text) %}
COMMENT ON COLUMN weixin.{{ dataset.fact }}.{{ column }} IS '{{ text | replace("'", "''") }}';
{% endmacro %}
COMMENT ON TABLE weixin.{{ dataset.fact }} IS 'One row per {{ dataset.key | join(", ") }}: {{
    dataset.description | replace("'", "''") }} (datacube/{{ dataset.endpoint }}). {{
    "Totals from publication to the end of stat_date: never add up rows of one article"
    if dataset.describes_articles else "Figures of that day alone: no running totals" }}';
{{ comment("appid", "The account: msgids repeat between accounts") -}}
{% if dataset.item %}
{{ comment(dataset.item.name, "WeChat's id of " ~ dataset.item.of) -}}
{% endif %}
{{ comment("stat_date", "The day (Beijing) of the figures: totals are those at its end") -}}
{% if dataset.describes_articles %}
{{ comment("publication_date", "The article's publication day (Beijing), as in dim_article") -}}
{% endif %}
{% for metric in dataset.metrics %}
{{ comment(
    metric.name,
    metric.meaning[:1] | upper ~ metric.meaning[1:] ~ " (" ~ metric.unit ~ "); null when WeChat never gave it"
    ~ (". " ~ metric.caveat if metric.caveat else "") ~ "\n中文：" ~ metric.chinese_name
) -}}
{% endfor %}
{{ comment("extra", "Metrics the pipeline does not know, by WeChat's name") -}}
{{ comment("raw_response_id", "The answer that last changed the row, see raw_response") -}}
{{ comment("fetched_at", "Fetch time of that answer") -}}
{{ comment("changed_at", "When the values last changed") }}
