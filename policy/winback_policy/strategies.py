"""What to do with each RFM segment, in every language: one sentence for the marketer."""

from __future__ import annotations

from collections.abc import Mapping

ENGLISH = {
    "champion": "Thank them, ask for reviews and ideas; no discount, they come anyway.",
    "loyal": "Keep their rhythm and show more of what they like; offer points or first pick.",
    "potential_loyalist": "Lead to the next purchase with what fits the last one.",
    "new": "Welcome them and help with what they bought; lead to the second purchase.",
    "promising": "Remind them of what else there is; lead to the second purchase.",
    "need_attention": "Remind them before it turns, with news in their own categories.",
    "about_to_sleep": "Remind them gently, with one good reason to come back; test another channel.",
    "at_risk": "Win back: relational first, then the product, then an incentive within the ceiling.",
    "cant_lose": "Win back in person: call or write by name, ask what went wrong.",
    "hibernating": "Write rarely; if nothing comes of it, let them go to sunset.",
}

DUTCH = {
    "champion": "Bedank ze, vraag om reviews en ideeën; geen korting, ze komen toch.",
    "loyal": "Houd hun ritme vast en laat meer zien van wat ze waarderen; geef punten of voorrang.",
    "potential_loyalist": "Leid naar de volgende aankoop met iets dat bij de laatste past.",
    "new": "Heet ze welkom en help bij wat ze kochten; leid naar de tweede aankoop.",
    "promising": "Herinner ze aan wat er nog meer is; leid naar de tweede aankoop.",
    "need_attention": "Herinner ze voordat het omslaat, met nieuws in hun eigen categorieën.",
    "about_to_sleep": "Herinner ze rustig, met één goede reden om terug te komen; probeer een ander kanaal.",
    "at_risk": "Win terug: eerst de relatie, dan het product, dan een beloning binnen het plafond.",
    "cant_lose": "Win persoonlijk terug: bel of schrijf op naam en vraag wat er misging.",
    "hibernating": "Schrijf zelden; komt er niets van, laat ze dan uitdoven.",
}

STRATEGIES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "nl": DUTCH}
"""``STRATEGIES[language][segment]``, in the languages of `texts.LANGUAGES`."""
