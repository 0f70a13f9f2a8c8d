-- migrate:up

CREATE TABLE weixin.article_sighting (
    dataset text NOT NULL,
    appid text NOT NULL,
    msgid text NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (dataset, appid, msgid)
);
COMMENT ON TABLE weixin.article_sighting IS 'One row per dataset and article: both datasets describe the same article, but one may list what the other does not';
COMMENT ON COLUMN weixin.article_sighting.dataset IS 'Which endpoint: article_total, …';
COMMENT ON COLUMN weixin.article_sighting.appid IS 'The account';
COMMENT ON COLUMN weixin.article_sighting.msgid IS 'The article';
COMMENT ON COLUMN weixin.article_sighting.last_seen_at IS 'Fetch time of the endpoint''s newest answer that held it';

INSERT INTO weixin.article_sighting (dataset, appid, msgid, last_seen_at)
SELECT
    known.dataset,
    known.appid,
    known.msgid,
    article.last_seen_at
FROM (
    SELECT
        'article_total' AS dataset,
        appid,
        msgid
    FROM weixin.fact_article_total
    UNION
    SELECT
        'article_total_detail' AS dataset,
        appid,
        msgid
    FROM weixin.fact_article_total_detail
) AS known
INNER JOIN weixin.dim_article AS article
    ON known.appid = article.appid AND known.msgid = article.msgid;

-- migrate:down

DROP TABLE weixin.article_sighting;
