"""What every test may rely on."""

import gc
import os

import ibis
import pytest
from hypothesis import settings

# One thread for each worker: several OpenMP teams on two cores spend their time waiting for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# SQL is written as `open_engine` has it written, whether or not it was called before.
ibis.options.sql.fuse_selects = False

# Expressions are made of very many small objects, and nearly all of them go by themselves.
gc.set_threshold(100_000, 50, 100)

settings.register_profile("quick", max_examples=50)
settings.register_profile("thorough", max_examples=100)


def pytest_configure(config: pytest.Config) -> None:
    """Draw fewer examples of each property where the slow tests are left out; dear ones draw a share of them."""
    settings.load_profile("quick" if config.option.markexpr == "not slow" else "thorough")


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later collection."""
    gc.freeze()
