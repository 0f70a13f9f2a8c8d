-- What is wrong with a dataset as far as is known: one row per open incident; one per metric of
-- some that was ever told to be unknown; and one per refusal of an account that a run has not met
-- since it was over, as WeChat has answered another run. What WeChat answered before an incident
-- was last met, or answered with the same refusal, does not show that it is over. days_settled:
-- those of its days that are final, or ready since it was last met; of rejected parts, those that
-- have none open; of days that were not asked for, those that were asked for since.
WITH answer AS (
    SELECT
        appid,
        attempted_at,
        error_kind,
        error_code
    FROM weixin.coverage
    WHERE
        dataset = :dataset
        AND (error_kind IS NULL OR NOT error_kind = any(:kinds_without_answer))
),

refused AS (
    SELECT
        coverage.appid,
        coverage.error_kind,
        max(coverage.attempted_at) AS attempted_at
    FROM weixin.run_report AS report
    INNER JOIN weixin.coverage
        ON
            report.dataset = coverage.dataset
            AND report.appid = coverage.appid
            AND report.day = coverage.day
    WHERE
        report.run_id = :run_id
        AND report.dataset = :dataset
        AND report.appid = any(:appids)
        AND coverage.error_kind = any(:kinds_of_account)
    GROUP BY coverage.appid, coverage.error_kind
)

SELECT
    incident.incident_id,
    incident.dataset,
    incident.kind,
    incident.appid,
    incident.subject,
    incident.account,
    incident.conn_id,
    incident.cause,
    incident.cure,
    incident.days,
    incident.error_code AS errcode,
    incident.run_id,
    incident.opened_at,
    incident.seen_at,
    incident.closed_at,
    incident.closing_told_at,
    coalesce(account.is_active, TRUE) AS is_collected,
    CASE
        WHEN incident.appid IS NULL
            THEN EXISTS (
                    SELECT
                    FROM answer
                    WHERE answer.attempted_at > incident.seen_at
                )
        ELSE
            EXISTS (
                SELECT
                FROM answer
                WHERE
                    answer.appid = incident.appid
                    AND answer.attempted_at > incident.seen_at
                    AND (answer.error_kind, answer.error_code)
                    IS DISTINCT FROM (incident.kind, incident.error_code)
            )
    END AS is_answered_since,
    coalesce(settled.days, '{}') AS days_settled
FROM weixin.incident
LEFT JOIN weixin.dim_account AS account ON incident.appid = account.appid
LEFT JOIN refused ON incident.appid = refused.appid AND incident.kind = refused.error_kind
LEFT JOIN LATERAL (
    SELECT array_agg(concerned.day) AS days
    FROM unnest(incident.days) AS concerned (day)
    LEFT JOIN weixin.coverage
        ON
            incident.appid = coverage.appid
            AND concerned.day = coverage.day
            AND incident.dataset = coverage.dataset
    WHERE
        CASE
            WHEN incident.kind = 'rejected'
                THEN NOT EXISTS (
                        SELECT
                        FROM weixin.rejected_row
                        WHERE
                            rejected_row.appid = incident.appid
                            AND rejected_row.day = concerned.day
                            AND rejected_row.dataset = incident.dataset
                            AND rejected_row.resolved_at IS NULL
                    )
            ELSE
                (incident.kind = 'not_asked' AND coverage.attempted_at > incident.seen_at)
                OR coverage.settled = 'final'
                OR coverage.ready_at > incident.seen_at
        END
) AS settled ON TRUE
WHERE
    incident.dataset = :dataset
    AND (
        incident.closed_at IS NULL
        OR (incident.kind = 'unknown_metric' AND incident.subject = any(:metrics))
        OR (
            incident.closed_at > refused.attempted_at
            AND EXISTS (
                SELECT
                FROM answer
                WHERE
                    answer.appid = incident.appid
                    AND answer.attempted_at > refused.attempted_at
            )
        )
    )
ORDER BY incident.incident_id
