-- Rejected parts that a later answer gave, that fit now, or are rejected for another reason: one
-- row each.
UPDATE weixin.rejected_row
SET resolved_at = :resolved_at
WHERE rejected_row_id = any(:rejected_row_ids)
RETURNING appid, publication_date
