"""The figures brought to people: a digest each morning, and files for Excel and programs."""
