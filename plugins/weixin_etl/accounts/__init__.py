"""
The accounts that are collected.

`entries` reads the list of accounts, `platform` finds a third-party platform's accounts and gives
their tokens, and `tokens` keeps these tokens in the warehouse.
"""
