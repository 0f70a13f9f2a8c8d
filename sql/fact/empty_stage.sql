-- Room for other answers of the same transaction, which list articles of the first ones again.
TRUNCATE staged_{{ fact }}, staged_article
