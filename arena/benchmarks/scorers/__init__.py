"""The arithmetic of benchmarks: arrays and texts in, frozen results out. No files, no network, no clock."""
