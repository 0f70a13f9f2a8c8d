-- One row per figure that was loaded and later given another value
CREATE VIEW analytics.restatement (
    -- Which endpoint
    dataset,
    -- The account
    appid,
    -- The article
    msgid,
    -- Its title
    title,
    -- Day of publication (Beijing)
    publication_date,
    -- The day whose total changed (Beijing)
    stat_date,
    -- Name of the metric
    metric,
    -- Value before
    old_value,
    -- Value after; NULL when a replay found that no kept answer gives the figure
    new_value,
    -- new_value - old_value
    difference,
    -- wechat: WeChat answered another number; replay: the fact was rebuilt from the kept answers,
    -- which a newer parser read differently, or somebody had changed the fact
    cause,
    -- When it was loaded
    changed_at
) AS
SELECT
    restatement.dataset,
    restatement.appid,
    restatement.msgid,
    article.title,
    article.publication_date,
    restatement.stat_date,
    restatement.metric,
    restatement.old_value,
    restatement.new_value,
    restatement.new_value - restatement.old_value AS difference,
    restatement.cause,
    restatement.changed_at
FROM weixin.restatement
LEFT JOIN weixin.dim_article AS article
    ON restatement.appid = article.appid AND restatement.msgid = article.msgid
