-- Save the rejected parts of some slices' newest answers, and return one row with the number of
-- changes. A part without an open row is inserted. An open row is resolved if its part does not
-- occur any more. The hash of all fields identifies a part.
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

open_part AS MATERIALIZED (
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
        ) AS slice (dataset, appid, day)
    INNER JOIN weixin.rejected_row AS rejected
        ON
            slice.dataset = rejected.dataset
            AND slice.appid = rejected.appid
            AND slice.day = rejected.day
            AND rejected.resolved_at IS NULL
),

resolved AS (
    UPDATE weixin.rejected_row AS rejected
    SET resolved_at = :changed_at
    WHERE
        rejected.rejected_row_id IN (
            SELECT open_part.rejected_row_id
            FROM open_part
            WHERE NOT open_part.identity IN (SELECT part.identity FROM part)
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
    WHERE NOT part.identity IN (SELECT open_part.identity FROM open_part)
    RETURNING rejected_row_id
)

SELECT count(*) AS part_count
FROM (
    SELECT resolved.rejected_row_id FROM resolved
    UNION ALL
    SELECT opened.rejected_row_id FROM opened
) AS changed
