-- One row per (appid, msgid, stat_date) of the answers being loaded, as the fact holds it: where
-- COPY puts them. Made once a session. Never analysed: the load's plan must not depend on it.
CREATE TEMPORARY TABLE IF NOT EXISTS staged_{{ fact }} (
    LIKE weixin.{{ fact }}
) ON COMMIT DELETE ROWS
