"""A battle's rules: who meets whom, what may happen when, and what may be seen of it."""
