-- Answers that nothing needs any more: one row each.
DELETE FROM weixin.raw_response
WHERE raw_response_id = any(:raw_response_ids)
