-- The dataset's newest answer that lists each staged article: one row per (dataset, appid, msgid).
WITH known AS (
    UPDATE weixin.article_sighting AS sighting
    SET raw_response_id = staged.raw_response_id
    FROM staged_article AS staged
    WHERE
        sighting.dataset = staged.dataset
        AND sighting.appid = staged.appid
        AND sighting.msgid = staged.msgid
        AND sighting.raw_response_id != staged.raw_response_id
)

INSERT INTO weixin.article_sighting (dataset, appid, msgid, raw_response_id)
SELECT
    dataset,
    appid,
    msgid,
    raw_response_id
FROM staged_article
ON CONFLICT (dataset, appid, msgid) DO NOTHING
