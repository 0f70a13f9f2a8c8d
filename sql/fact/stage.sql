-- One row per (msgid, stat_date) of the answers being loaded: where COPY puts them.
-- Never analysed: the load's plan must not depend on it.
CREATE TEMPORARY TABLE staged_row (
    msgid text NOT NULL,
    raw_response_id bigint NOT NULL,
    stat_date date NOT NULL,
    {% for metric in metrics %}
    {{ metric }} {{ types[metric] }},
    {% endfor %}
    extra jsonb
) ON COMMIT DROP;
