"""The world that the analysts' pages are answered from, and the truth about it."""
