-- Nothing is staged any more, before the transaction's end.
TRUNCATE staged_article, staged_{{ fact }}, different_{{ fact }}
