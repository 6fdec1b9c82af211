"""The contacts of the scenario book: for each rule one by name, for each conflict of two rules one more.

A scenario is a contact in one sentence, what differs from `Anna` (who buys every 12 days, has been silent for 31, agreed to
e-mail and is likely to lapse), and what becomes of it today. The days refer to Monday 10 March 2025. The shop has a consent to
e-mail renewed after two years in one country, and keeps data for a month in another (`RENEWED`); the rest of the law is as built
in.
"""

from __future__ import annotations

from collections.abc import Mapping

from scenarios.conflicts import CONFLICTS
from scenarios.entering import BASES, ENTERS, EXCLUDED
from scenarios.journeys import JOURNEYS, SLEEPERS
from scenarios.offers import OFFERED
from scenarios.said import SAID, TAKEN
from scenarios.scenario import TODAY, Scenario
from winback_policy.legal import LegalRule

__all__ = ["CHAPTERS", "RENEWED", "TODAY", "Scenario"]

RENEWED = (
    LegalRule("GB", "email", "soft_opt_in_buyers", consent_max_age_days=730),
    LegalRule("XS", "*", "soft_opt_in_buyers", max_age_days=30),
)

CHAPTERS: Mapping[str, Mapping[str, Scenario]] = {
    "definitions": ENTERS,
    "eligibility": EXCLUDED,
    "legal bases": BASES,
    "conflicts": CONFLICTS,
    "journeys": JOURNEYS,
    "sleepers": SLEEPERS,
    "answers": SAID,
    "incentives": OFFERED,
    "follow-up": TAKEN,
}
