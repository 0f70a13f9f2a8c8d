"""
Checks of the analysts' pages and views:

a filled warehouse, and the rows each query must give.
"""
