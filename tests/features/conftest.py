"""Fixtures of the feature tests; the helper modules beside this file are importable by name."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def shop_engine():
    from feature_shop import ShopEngine

    engine = ShopEngine()
    yield engine
    engine.close()
