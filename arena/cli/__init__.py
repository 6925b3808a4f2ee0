"""The command line: `python -m arena COMMAND`, one module per command."""
