-- What is wrong with a dataset as far as is known: one row per open incident; one per metric of
-- some that was ever told to be unknown; and one per refusal of an account that a run has not met
-- since it was over, as WeChat has answered another run. What WeChat answered before an incident
-- was last met, or answered with the same refusal, does not show that it is over. days_settled:
-- those of its days that are final, or in since it was last met; of rejected parts, those that have
-- none open; of days that were not asked for, those that were asked for since. A day that became
-- final by an answer of which nothing fits is not in: rules.is_odd.
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
            AND report.publication_date = coverage.publication_date
    WHERE
        report.run_id = :run_id
        AND report.dataset = :dataset
        AND report.installation = :installation
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
    incident.publication_dates AS days,
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
    coalesce(settled.publication_dates, '{}') AS days_settled
FROM weixin.incident
LEFT JOIN weixin.dim_account AS account ON incident.appid = account.appid
LEFT JOIN refused ON incident.appid = refused.appid AND incident.kind = refused.error_kind
LEFT JOIN LATERAL (
    SELECT array_agg(day.publication_date) AS publication_dates
    FROM unnest(incident.publication_dates) AS day (publication_date)
    LEFT JOIN weixin.coverage
        ON
            incident.appid = coverage.appid
            AND day.publication_date = coverage.publication_date
            AND incident.dataset = coverage.dataset
    WHERE
        CASE
            WHEN incident.kind = 'rejected'
                THEN NOT EXISTS (
                        SELECT
                        FROM weixin.rejected_row
                        WHERE
                            rejected_row.appid = incident.appid
                            AND rejected_row.publication_date = day.publication_date
                            AND rejected_row.dataset = incident.dataset
                            AND rejected_row.resolved_at IS NULL
                    )
            ELSE
                (incident.kind = 'not_asked' AND coverage.attempted_at > incident.seen_at)
                OR (
                    (coverage.is_final OR coverage.ready_at > incident.seen_at)
                    AND (
                        coverage.attempt_state = 'failed'
                        AND coverage.ready_at = coverage.attempted_at
                    ) IS NOT TRUE
                )
        END
) AS settled ON TRUE
WHERE
    incident.dataset = :dataset
    AND incident.installation IN (:installation, '')
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
