-- Rejected parts of some pairs' newest answers: one row with how many were opened or resolved. What
-- is not open already is opened, what does not occur any more is resolved. Parts are told apart by
-- the hash of all they say.
WITH part AS MATERIALIZED (
    SELECT DISTINCT ON (identity)
        *,
        sha256(convert_to(cast(row(appid, day, msgid, stat_date, reason, payload) AS text), 'UTF8'))
            AS identity
    FROM json_to_recordset(cast(:parts AS json)) AS part (
            appid text,
            day date,
            raw_response_id bigint,
            msgid text,
            stat_date date,
            code text,
            field text,
            reason text,
            payload text
        )
),

known AS MATERIALIZED (
    SELECT
        rejected.rejected_row_id,
        sha256(
            convert_to(
                cast(
                    row(
                        rejected.appid,
                        rejected.day,
                        rejected.msgid,
                        rejected.stat_date,
                        rejected.reason,
                        rejected.payload
                    ) AS text
                ),
                'UTF8'
            )
        ) AS identity
    FROM unnest(
            cast(:datasets AS text[]), cast(:appids AS text[]), cast(:days AS date[])
        ) AS pair (dataset, appid, day)
    INNER JOIN weixin.rejected_row AS rejected
        ON
            pair.dataset = rejected.dataset
            AND pair.appid = rejected.appid
            AND pair.day = rejected.day
            AND rejected.resolved_at IS NULL
),

resolved AS (
    UPDATE weixin.rejected_row AS rejected
    SET resolved_at = :changed_at
    WHERE
        rejected.rejected_row_id IN (
            SELECT known.rejected_row_id
            FROM known
            WHERE NOT known.identity IN (SELECT part.identity FROM part)
        )
    RETURNING rejected.rejected_row_id
),

opened AS (
    INSERT INTO weixin.rejected_row (
        dataset, appid, day, msgid, stat_date, code, field, reason, payload, raw_response_id,
        rejected_at
    )
    SELECT
        :dataset,
        part.appid,
        part.day,
        part.msgid,
        part.stat_date,
        part.code,
        part.field,
        part.reason,
        part.payload,
        part.raw_response_id,
        :changed_at
    FROM part
    WHERE NOT part.identity IN (SELECT known.identity FROM known)
    RETURNING rejected_row_id
)

SELECT count(*) AS part_count
FROM (
    SELECT resolved.rejected_row_id FROM resolved
    UNION ALL
    SELECT opened.rejected_row_id FROM opened
) AS changed
