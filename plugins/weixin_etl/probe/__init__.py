"""
`weixin-etl probe`: a check of whether the pipeline will work for an account.

`asking` calls WeChat, `keys` compares an answer's keys with the declaration, and `judging` makes
the findings and the verdict.
"""
