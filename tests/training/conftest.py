"""Fixtures of the training tests; the helper modules beside this file are importable by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
