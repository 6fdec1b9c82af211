"""Spark's tests take helpers from beside the training tests and from here; Spark itself must be installed, else they fail."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "training")]
