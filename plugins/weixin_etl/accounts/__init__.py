"""Who is collected: the entries of the list, and a platform's accounts and tokens."""
