-- Room for other answers of the same transaction.
TRUNCATE staged_{{ fact }}{{ ", staged_article" if dataset.describes_articles }}
