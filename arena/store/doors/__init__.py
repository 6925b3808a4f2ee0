"""The store's door, leaf by leaf: what may be asked of the database, by what it is about.

Each leaf says what a call means, costs and raises, and hands the work to the modules of `arena.store`,
which know the tables. `Store` is all leaves together.
"""
