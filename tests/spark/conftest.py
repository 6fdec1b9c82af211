"""Spark's tests take helpers from beside the training tests and from here; Spark itself must be installed, else they fail."""

import gc
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training")]


@pytest.fixture(scope="package", autouse=True)
def sockets_of_py4j() -> Iterator[None]:
    """Collect what Spark's bridge leaves open before other tests would be told of it."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
