"""The benchmarks this arena knows, one file each; `ALL` is the list that the command line shows."""
