"""
The calls to WeChat: HTTP, access tokens, and the clients of an account and of a platform.

`http` makes one call, `token` and `client` call for one account, `component` calls for a
third-party platform, and `calls` limits and counts an account's calls of one try.
"""
