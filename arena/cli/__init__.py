"""The command line: `python -m arena COMMAND`, one module per command."""

import os

# Before numpy and Gradio are imported: the rating path's matrices are small, so that more threads
# only wait for each other, and Gradio must not phone home.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
