"""Who is collected: the list's entries, and a third-party platform's accounts with their tokens."""
