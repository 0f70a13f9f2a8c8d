"""The world that docs/analysts.md is answered from, and the truth about it."""
