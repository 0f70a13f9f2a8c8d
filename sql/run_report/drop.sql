-- A run is planned again: what only its earlier plan named is not planned any more, but keeps its
-- counts.
UPDATE weixin.run_report
SET is_planned = FALSE
WHERE
    run_id = :run_id
    AND dataset = :dataset
    AND installation = :installation
    AND is_planned
