"""The page: layout, look and translation of what the service says; no rule of the arena lives here."""
