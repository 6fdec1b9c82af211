"""What every test may rely on."""

import os

# One thread for each worker: several OpenMP teams on two cores spend their time waiting for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
