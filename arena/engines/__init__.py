"""Engines turn a conversation into streamed chunks: `base` is the seam, the rest stand behind it."""
