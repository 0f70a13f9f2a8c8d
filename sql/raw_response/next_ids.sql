-- Keys for as many new answers: one row each.
SELECT nextval('weixin.raw_response_raw_response_id_seq')
FROM generate_series(1, :count)
