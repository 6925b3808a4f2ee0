"""Arena: blind comparison of language models, with ratings that are honest about what they do not know."""

__version__ = "0.2.0"
