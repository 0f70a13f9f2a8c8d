"""Who is collected: a platform's accounts and tokens."""
