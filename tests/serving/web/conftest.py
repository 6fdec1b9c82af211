"""A published home with two days of a small real shop, whose contacts have names and addresses, and a client to ask it."""

import warnings
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from winback_serving.batch import score_day
from winback_serving.settings import Settings, load_settings
from winback_serving.web.app import create_app
from winback_serving.web.config import WebConfig

with warnings.catch_warnings():
    # Starlette 1.10 asks for a successor of httpx that is not pinned here.
    warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")
    from fastapi.testclient import TestClient

DAYS = (date(1998, 6, 1), date(1998, 6, 2))
PERSONAL = ("secret-mail", "Secretfirst", "Secretlast", "+49555")
"""Words that stand in every contact's address, names and phone number."""
SOURCES = ("fair", "newsletter", "")
"""Where contacts came from, by their number; of a third nobody knows."""


@pytest.fixture(scope="session")
def web_settings(
    tmp_path_factory: pytest.TempPathFactory, write_shop: Callable[..., Path], rule_model: Any
) -> Settings:
    """Settings of a shop with two published runs; its home is read, and written to by nobody."""
    config = write_shop(tmp_path_factory.mktemp("web"), every=4)
    folder = config.parent
    orders = (folder / "orders.csv").read_text(encoding="utf-8").splitlines()[1:]
    mail, first, last, phone = PERSONAL
    lines = ["contact_id,email,first_name,last_name,phone,country,language,consent_email,acquisition_source"]
    lines += [
        f"{c},{mail}{c}@example.com,{first}{c},{last}{c},{phone}{c},DE,de,true,{SOURCES[int(c) % 3]}"
        for c in sorted({line.split(",")[0] for line in orders})
    ]
    (folder / "contacts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = config.read_text(encoding="utf-8").replace("[brand]", 'contacts = "contacts.csv"\n[brand]')
    text = text.replace("quiet_days = 0", "quiet_days = 0\nholdout_share = 0.2")
    config.write_text(text, encoding="utf-8")
    settings = load_settings(config, {})
    for day in DAYS:
        score_day(settings, day, rule_model(), "digest")
    return settings


@pytest.fixture(scope="session")
def web_home(web_settings: Settings) -> Path:
    """The home folder of those two runs."""
    return web_settings.home


@pytest.fixture(scope="session")
def client(web_home: Path) -> Iterator[TestClient]:
    """A client of a server without login, as on a loopback address."""
    with TestClient(create_app(web_home, WebConfig()), base_url="http://localhost") as found:
        yield found
