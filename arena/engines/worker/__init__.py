"""The process that holds one local model and speaks the OpenAI-compatible protocol.

`spec` says what to load and is all that the arena's own process may import from here; everything
else runs behind `python -m arena.engines.worker`, in a process that ends with its parent.
Importing this package costs nothing: torch and transformers are touched by `serving` and what it
puts together alone.
"""
