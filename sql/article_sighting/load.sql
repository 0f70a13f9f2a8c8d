-- Staged articles are listed by the dataset: one row each that it did not list before. A fold adds
-- those that are not known at all: its articles need not be listed any more.
INSERT INTO weixin.article_sighting (appid, msgid, dataset)
SELECT
    staged.appid,
    staged.msgid,
    :dataset
FROM staged_article AS staged
WHERE
    NOT EXISTS (
        SELECT
        FROM weixin.article_sighting AS known
        WHERE
            known.appid = staged.appid
            AND known.msgid = staged.msgid
            AND known.dataset = :dataset
            AND (:is_fold OR known.unlisted_since IS NULL)
    )
ON CONFLICT (appid, msgid, dataset) DO UPDATE SET unlisted_since = NULL
