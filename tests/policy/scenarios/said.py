"""What a contact says and how it takes a message: whom it spares, what the next step is."""

from __future__ import annotations

from datetime import date
from typing import Any

from scenarios.scenario import GONE, NEVER, PHONE, SAFE, Scenario, day, journey, left, said


def wrote(days: int, ignored: float = 0.0, channel: str = "email", **more: Any) -> dict[str, Any]:
    """Return a contact to whom was last written so many days ago."""
    clicked = {} if ignored else {f"{channel}_days_since_click": float(days)}
    return clicked | {
        f"{channel}_days_since_send": float(days),
        f"{channel}_ignored_in_a_row": ignored,
        **more,
    }


def keeps(silent: int) -> date:
    """Return the day on which the data of a contact that was silent for so many days are to go."""
    return day(silent - 3 * 365)


def taken(
    story: str,
    today: dict[str, Any],
    tone: str,
    reaction: str | None,
    *rows: str,
    day: int = 2,
    does: str = "win_back",
) -> Scenario:
    """Return a contact that entered so many days ago, with the tone that its step has after how it took the last message."""
    more = {"tone": tone, "last_reaction": reaction}
    return Scenario(
        story, ("004.2", *rows), today, "in_winback", does=does, yesterday=journey(day), more=more
    )


SAID: dict[str, Scenario] = {
    "Aldona": Scenario(
        "said in the survey that she moved away: not won back, and taken leave of",
        ("002.8",),
        said("moved_away", days_since_activity=30.0),
        "farewell",
        "left_for_good",
        does="farewell",
        more={"stated_reason": "moved_away", "incentive_kind": "none", "farewell_due": keeps(30)},
    ),
    "Bastiaan": Scenario(
        "said in the journey that he needs it no more: out the same day",
        ("002.8", "000.6"),
        said("no_need", 1),
        "farewell",
        "left_for_good",
        "left_for_good",
        does="farewell",
        yesterday=journey(5),
    ),
    "Catrien": Scenario(
        "said that she moved away, and bought since: her order is the later word",
        ("002.8",),
        said("moved_away", 32),
        "flagged",
        does="win_back",
        more={"stated_reason": None},
    ),
    "Stijn": Scenario(
        "said so on the day of his last order: his parting word",
        ("002.8",),
        said("moved_away", 31),
        "farewell",
        "left_for_good",
        does="farewell",
    ),
    "Evert": Scenario(
        "said a year ago that he has no need: still spared",
        ("002.8",),
        said("no_need", 365, **GONE),
        "farewell",
        "left_for_good",
        does="farewell",
    ),
    "Dagmar": Scenario(
        "said so a day earlier: forgotten, and lapsed long ago anyway",
        ("002.8",),
        said("no_need", 366, **GONE),
        "inactive",
        "lapsed_already",
        more={"stated_reason": None},
    ),
    "Nadia": Scenario(
        "moved away, and called a mail spam: the complaint is told first",
        ("002.8", "001.9"),
        said("moved_away", complained=True),
        "farewell",
        "complained",
        does="farewell",
    ),
    "Ulrike": Scenario(
        "has no need any more, and unsubscribed in the journey: that is told first",
        ("002.8", "002.7"),
        said("no_need", consent_email=False),
        "farewell",
        "no_consent",
        "unsubscribed",
        does="farewell",
        yesterday=journey(5),
    ),
    "Liudvika": Scenario(
        "moved away, she said 50 days ago; 20 days later she bought: the farewell is off",
        ("002.8", "002.6"),
        said("moved_away", 50, **SAFE, days_since_purchase=30),
        "active",
        "low_risk",
        yesterday={"state": "farewell", "journeys": 0, "asleep_since": day(49)},
        more={"farewell_due": None},
    ),
    "Margriet": Scenario(
        "never bought, and wrote that she has no need of it: taken leave of as well",
        ("002.8", "002.10"),
        said("no_need", 2, **NEVER, days_since_activity=2.0, tenure_days=40.0),
        "farewell",
        "left_for_good",
        does="farewell",
        more={"farewell_due": keeps(2)},
    ),
    "Norbert": Scenario(
        "said so 20 days ago, where nothing is kept for longer than a month: due after the notice, counted from his word",
        ("002.8", "002.10"),
        said("moved_away", 20, country="XS", days_since_activity=20.0),
        "farewell",
        "left_for_good",
        does="farewell",
        yesterday={"state": "farewell", "journeys": 0, "asleep_since": day(19)},
        more={"farewell_due": day(19 - 30)},
    ),
    "Ottilie": Scenario(
        "the same, and his word came to be known today only: the notice begins today",
        ("002.8", "002.10"),
        said("moved_away", 20, country="XS", days_since_activity=20.0),
        "farewell",
        "left_for_good",
        does="farewell",
        more={"farewell_due": day(-30)},
    ),
    "Quirina": Scenario(
        "bought in her last journey, known late only, and said 21 days ago that she left: the notice goes on from there",
        ("002.8", "002.10"),
        said("moved_away", 21, country="XS", days_since_purchase=60, days_since_activity=21.0),
        "farewell",
        "left_for_good",
        does="farewell",
        yesterday=left("farewell", 100, 50, "journey_ended", asleep_since=day(20)),
        more={"farewell_due": day(20 - 30)},
    ),
    "Pawel": Scenario(
        "works here, and moved away: no list is his",
        ("002.8",),
        said("moved_away", is_staff=True),
        "inactive",
        "staff",
    ),
    "Katarzyna": Scenario(
        "gets too many messages, she says: asked how many she wants",
        ("002.8", "000.5"),
        said("too_many_messages"),
        "flagged",
        does="preference_form",
    ),
    "Lambert": Scenario(
        "does not find what he looks for: show him something else",
        ("002.8",),
        said("assortment"),
        "flagged",
        does="refresh_content",
    ),
    "Tekla": Scenario(
        "says the same, and clicks without buying: her word counts before her clicks",
        ("002.8", "000.4"),
        said("assortment", email_clicks_90d=3.0),
        "flagged",
        does="refresh_content",
    ),
    "Renske": Scenario(
        "gets too many messages, and opened a cart in the journey: nothing today",
        ("002.8", "001.5"),
        said("too_many_messages", cart_open_days=1),
        "in_winback",
        yesterday=journey(5),
    ),
    "Marit": Scenario(
        "buys elsewhere: carried along, and nothing else follows",
        ("002.8",),
        said("competitor"),
        "flagged",
        does="win_back",
        more={
            "stated_reason": "competitor",
            "reason_1": "said on 8 Feb: buys elsewhere",
            "incentive_kind": "voucher",
        },
    ),
}
"""Reason codes of the survey: who is not won back, and who is asked or shown something else."""

TAKEN: dict[str, Scenario] = {
    "Abel": taken(
        "ignored the first mail for two days: the same under another subject",
        wrote(2, ignored=1.0),
        "new_subject",
        "ignored",
    ),
    "Berit": taken(
        "clicked, and did not buy: why not?",
        wrote(2, email_clicks_90d=1.0),
        "why_not",
        "clicked",
        does="check_landing_page",
    ),
    "Corneel": taken(
        "opened it: on to the product",
        wrote(2, ignored=1.0, email_days_since_open_unreliable=1.0),
        "product",
        "opened",
    ),
    "Dieuwke": taken(
        "got her first mail yesterday only: not ignored yet, and the step is the usual one",
        wrote(1, ignored=1.0),
        "product",
        None,
    ),
    "Eelco": taken("nobody recorded what he was sent: the usual steps", {}, "product", None),
    "Filip": taken(
        "ignored a newsletter before he entered: that says nothing of this journey",
        wrote(3, ignored=2.0),
        "product",
        None,
    ),
    "Gerda": taken(
        "ignored the mail, and tapped the text message of the next day: the last message counts",
        wrote(3, ignored=1.0) | wrote(2, channel="sms", sms_clicks_90d=1.0, consent_sms=True, phone=PHONE),
        "why_not",
        "clicked",
        "004.6",
        day=3,
        does="check_landing_page",
    ),
    "Hessel": taken(
        "ignored the second mail as well: the third step is the incentive for all",
        wrote(2, ignored=2.0),
        "incentive",
        "ignored",
        day=4,
    ),
    "Ilse": Scenario(
        "is held out, and ignored a mail that she should not have got: no step",
        ("004.2", "003.6"),
        wrote(2, ignored=1.0),
        "in_winback",
        yesterday=journey(3, arm="holdout"),
        more={"journey_step": None, "tone": None, "last_reaction": None},
    ),
    "Jacek": Scenario(
        "enters today, and clicked a newsletter last week: the journey begins as always",
        ("004.2",),
        wrote(7),
        "flagged",
        does="win_back",
        more={"journey_step": 1, "tone": "relational", "last_reaction": None},
    ),
    "Leokadia": taken(
        "the campaign log alone knows of the mail, and nothing came back for two days: ignored",
        {"email_logged_days": 2},
        "new_subject",
        "ignored",
        "003.6",
    ),
    "Maurits": taken(
        "the log alone knows of it, and he clicked since",
        {"email_logged_days": 2, "email_days_since_click": 1.0, "email_clicks_90d": 1.0},
        "why_not",
        "clicked",
        does="check_landing_page",
    ),
    "Nelleke": taken(
        "clicked the newsletter of last week; the mail of the journey, which the log knows, lies there",
        wrote(9, email_clicks_90d=1.0) | {"email_logged_days": 2},
        "new_subject",
        "ignored",
        does="check_landing_page",
    ),
    "Olivier": taken(
        "the log is behind, and the events know of a newer message: that one counts",
        {**wrote(1, ignored=2.0), "email_logged_days": 3},
        "product",
        None,
        day=3,
    ),
    "Krystyna": Scenario(
        "clicked and bought: out, and no step any more",
        ("004.2", "000.6"),
        wrote(2, email_clicks_90d=1.0, days_since_purchase=1),
        "reactivated",
        "recently_active",
        "purchased",
        yesterday=journey(2),
        more={"journey_step": None, "tone": None, "last_reaction": None},
    ),
}
"""The follow-up after 48 hours: ignored, clicked, opened, or not known."""
