-- The publication day of staged articles, which may have moved: one row each. What it was before is
-- among the other days from now on; so is the day under which a late answer lists the article.
{% from "dim_article/macros.jinja" import days_of %}
UPDATE weixin.dim_article AS article
SET
    publication_date = days.publication_date,
    other_publication_dates = days.other_publication_dates
FROM staged_article AS staged
INNER JOIN weixin.dim_article AS known
    ON staged.appid = known.appid AND staged.msgid = known.msgid
CROSS JOIN LATERAL {{ days_of("staged", "known") }} AS days
WHERE
    article.appid = staged.appid
    AND article.msgid = staged.msgid
    AND (
        article.publication_date != days.publication_date
        OR article.other_publication_dates IS DISTINCT FROM days.other_publication_dates
    )
