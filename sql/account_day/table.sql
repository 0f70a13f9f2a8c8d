-- Create the tables of account days: what the articles of an account gained on a day.
{% from "analytics/both.jinja" import counted_by_both with context %}
{% set increments = [] %}
{% for dataset in datasets %}
{% for metric in dataset.wholes if metric.name not in increments %}
{% set _ = increments.append(metric.name) %}
{% endfor %}
{% endfor %}
CREATE TABLE IF NOT EXISTS weixin.account_day (
    dataset text NOT NULL,
    appid text NOT NULL,
    calendar_date date NOT NULL,
    is_complete boolean NOT NULL,
    has_all_rows boolean NOT NULL,
    PRIMARY KEY (dataset, appid, calendar_date)
);
-- A newer release may declare further metrics.
ALTER TABLE weixin.account_day
{% for name in increments %}
ADD COLUMN IF NOT EXISTS {{ name }}_increment numeric{{ "," if not loop.last }}
{% endfor %};
CREATE TABLE IF NOT EXISTS weixin.account_day_state (
    dataset text NOT NULL,
    appid text NOT NULL,
    stale_from date,
    first_date date,
    last_date date,
    refreshed_at timestamptz,
    PRIMARY KEY (dataset, appid)
) WITH (fillfactor = 50);
CREATE INDEX IF NOT EXISTS account_day_state_is_stale
ON weixin.account_day_state (dataset, appid)
WHERE stale_from IS NOT NULL;
ALTER TABLE weixin.account_day_state
{% for common in counted_by_both %}
ADD COLUMN IF NOT EXISTS {{ common.name }}_ratio numeric{{ "," if not loop.last }}
{% endfor %};
COMMENT ON TABLE weixin.account_day IS 'One row per dataset, account and day of which something is known: what all articles of the account gained on that day. Computed from the facts by account_day/refresh.sql';
COMMENT ON COLUMN weixin.account_day.dataset IS 'Which endpoint: article_total or its successor';
COMMENT ON COLUMN weixin.account_day.appid IS 'The account';
COMMENT ON COLUMN weixin.account_day.calendar_date IS 'The day (Beijing)';
COMMENT ON COLUMN weixin.account_day.is_complete IS 'Whether everything gained on the day is known: see analytics.account_day_7d';
COMMENT ON COLUMN weixin.account_day.has_all_rows IS 'Whether every article within its window has a row of the day, confirmed or not';
{% for name in increments %}
COMMENT ON COLUMN weixin.account_day.{{ name }}_increment IS 'The gain of {{ name }}; null when unknown';
{% endfor %}
COMMENT ON TABLE weixin.account_day_state IS 'One row per dataset and account with account days: from which day on they must be computed again';
COMMENT ON COLUMN weixin.account_day_state.dataset IS 'Which endpoint: article_total or its successor';
COMMENT ON COLUMN weixin.account_day_state.appid IS 'The account';
COMMENT ON COLUMN weixin.account_day_state.stale_from IS 'The first day that a load may have changed since refreshed_at; null while account_day agrees with the facts';
COMMENT ON COLUMN weixin.account_day_state.first_date IS 'The first day asked for';
COMMENT ON COLUMN weixin.account_day_state.last_date IS 'The last day asked for or, if later, the last day that an answer has figures of';
{% for common in counted_by_both %}
COMMENT ON COLUMN weixin.account_day_state.{{ common.name }}_ratio IS '{{ common.name }} by getarticletotal over {{ common.name }} by its successor, on the days that are complete in both; null without such days. In rows of the successor only';
{% endfor %}
COMMENT ON COLUMN weixin.account_day_state.refreshed_at IS 'When the account''s days were last computed; null before the first time';
