-- Numbers for new answers: as many rows as are asked for.
SELECT nextval('weixin.raw_response_raw_response_id_seq') AS raw_response_id
FROM generate_series(1, :count)
