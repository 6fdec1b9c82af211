"""Schemathesis against the API by its own documentation, every check: no answer but those that are documented, and no 5xx.

The same from the command line, with its own edge cases, against a running server: see benchmarks/README.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from winback_serving.settings import Settings
from winback_serving.web.app import create_app
from winback_serving.web.config import WebConfig

if TYPE_CHECKING:
    import schemathesis

HEADERS = {"host": "localhost"}

EXAMPLES = 15
"""Of each operation; a history takes seconds to score, so fewer of those."""


@pytest.mark.slow
def test_the_api_answers_as_documented(web_settings: Settings) -> None:
    import schemathesis  # a large package, for this one test
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    app = create_app(web_settings.home, WebConfig(), web_settings)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=HEADERS)
    tried = []
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]

        @settings(
            max_examples=3 if operation.method == "post" else EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy())
        def check(case: schemathesis.Case[Any]) -> None:
            # Whether a history makes sense is more than a schema can say, so a sound one may be refused.
            beyond: list[Any] = [positive_data_acceptance] if case.method.lower() == "post" else []
            case.call_and_validate(headers=HEADERS, excluded_checks=beyond)

        check()
        tried.append(operation.label)
    assert len(tried) >= 13
