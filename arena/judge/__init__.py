"""The second track: language models that judge finished battles, never in place of a person."""
