"""What the win-back policy can be told."""

from __future__ import annotations

from dataclasses import dataclass

from winback_features.errors import ConfigError
from winback_policy.definitions import BUILT_IN, PURCHASE_LAPSED, Definition
from winback_policy.incentives import IncentiveRule
from winback_policy.legal import LegalRule
from winback_policy.outcomes.experiments import Experiment, check_experiments
from winback_policy.presets import check_preset
from winback_policy.rfm import RfmThresholds
from winback_policy.steps import Step, check_steps
from winback_policy.texts import LANGUAGES

UNKNOWN_CONSENT = ("flag", "block")
SHARES = (
    *("enter_p_lapse", "leave_p_lapse", "holdout_share", "gift_share"),
    *("max_complaint_share", "max_bounce_share"),
)
MOST_COMPLAINTS = 0.003
"""Mailbox providers ask bulk senders never to reach this share."""
NOT_NEGATIVE = (
    "lead_days",
    "quiet_days",
    "service_days",
    "cart_days",
    "offer_days",
    "answer_days",
    "relationship_days",
    "cooldown_days",
    "journey_days",
    "sunset_days",
    "notice_days",
    "engagement_days",
    "engagement_sends",
    "early_share",
    "email_price",
    "capacity",
)


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """Thresholds and limits of the win-back decision.

    Attributes
    ----------
    preset : str
        The kind of shop whose days stand where the shop sets none (`winback_policy.presets`); filled in by the reader of the
        settings, and here only a label.
    definition : str
        Name and version of the definition of inactive by which contacts enter.
    definitions : tuple of Definition
        The shop's own.
    engagement_days, engagement_sends : int
        ``engagement_inactive@1``: no activity for so long, and so many messages in a row unanswered.
    enter_p_lapse, leave_p_lapse : float
        A contact enters at or above the first and leaves below the second (hysteresis).
    lead_days : int
        A contact is flagged from so many days before its own rhythm calls it late.
    early_share : float
        Or, where its usual gap fits into the horizon, once such a share of it has passed: for who usually buys within the
        horizon, a silent horizon is a lapse. Slower contacts wait for half their gap. A large number leaves ``lead_days``
        alone to decide.
    quiet_days : int
        Activity (purchase, visit, click) in the last so many days blocks a flag: not pushy.
    service_days : int
        A service contact in the last so many days counts as an open complaint.
    cart_days : int
        A cart left open in the last so many days belongs to the cart journey.
    offer_days : int
        An incentive sent in the last so many days is another journey's offer.
    answer_days : int
        What a contact said of why it stopped holds for so long, unless it buys.
    gift_share : float
        From this share of gifts among its orders a contact is a gift buyer.
    relationship_days : int
        Purchases that all lie within so many days are one occasion, and no relationship yet.
    cooldown_days : int
        After leaving, a contact is not flagged again for so long, by the calendar.
    journey_days : int
        A contact that has not bought so many days after entry on which the shop was open goes to ``sunset``.
    steps : tuple of Step
        The shop's own steps of the journey; `winback_policy.steps.STEPS` when empty.
    incentives : tuple of IncentiveRule
        The shop's own rules for the kind of incentive; `winback_policy.incentives.RULES` when empty.
    sunset_days : int
        After so many such days in ``sunset`` without a sign of life: ``farewell``.
    notice_days : int
        Such days between the beginning of ``farewell`` and the day on which the data are to go, at least.
    capacity : int, optional
        At most so many entries a day, best first; no limit when absent.
    holdout_share : float
        Share of the flagged that is held out, by a stable salted hash of the contact.
    holdout_salt : str
        Change it to draw another holdout.
    experiments : tuple of Experiment
        What is tried among the treated; one at a time.
    unknown_consent : {"flag", "block"}
        Where no consent is recorded: go by the legal basis of the country and channel, or never write.
    legal : tuple of LegalRule
        The shop's own rows of the table of legal bases.
    rfm : RfmThresholds, optional
        Fixed cuts between the RFM scores; the run's own quintiles when absent.
    max_complaint_share, max_bounce_share : float
        Above this share of complaints, or of hard bounces, among the e-mails of the batches before, the next one is not
        released.
    email_price : float
        Of one e-mail, in the brand's currency: what sleepers cost.
    language : str
        Of the reasons: ``"en"`` or ``"nl"``.

    Raises
    ------
    ConfigError
        If a share is outside [0, 1], a number of days, the price or the capacity is negative, ``leave_p_lapse`` is above
        ``enter_p_lapse``, the steps are out of order, or ``preset``, ``definition``, ``unknown_consent`` or ``language`` is no
        known word.

    Examples
    --------
    >>> PolicyConfig(lead_days=7).lead_days
    7
    >>> PolicyConfig(leave_p_lapse=0.9)
    Traceback (most recent call last):
    winback_features.errors.ConfigError: policy.leave_p_lapse: It is 0.9, above enter_p_lapse (0.5). ...
    """

    preset: str = ""
    definition: str = PURCHASE_LAPSED
    definitions: tuple[Definition, ...] = ()
    engagement_days: int = 90
    engagement_sends: int = 11
    enter_p_lapse: float = 0.5
    leave_p_lapse: float = 0.35
    lead_days: int = 3
    early_share: float = 0.2
    quiet_days: int = 2
    service_days: int = 7
    cart_days: int = 3
    offer_days: int = 7
    answer_days: int = 365
    gift_share: float = 0.8
    relationship_days: int = 3
    cooldown_days: int = 30
    journey_days: int = 90
    steps: tuple[Step, ...] = ()
    incentives: tuple[IncentiveRule, ...] = ()
    sunset_days: int = 180
    notice_days: int = 30
    capacity: int | None = None
    holdout_share: float = 0.1
    holdout_salt: str = "winback"
    experiments: tuple[Experiment, ...] = ()
    unknown_consent: str = "flag"
    legal: tuple[LegalRule, ...] = ()
    rfm: RfmThresholds | None = None
    max_complaint_share: float = 0.001
    max_bounce_share: float = 0.02
    email_price: float = 0.001
    language: str = "en"

    def __post_init__(self) -> None:
        for name in SHARES:
            share = getattr(self, name)
            if not 0 <= share <= 1:
                what = f"It is {share}, which is no share."
                raise ConfigError(what, where=f"policy.{name}", how="Give a number from 0 to 1.")
        for name in NOT_NEGATIVE:
            value = getattr(self, name)
            if value is not None and value < 0:
                what = f"It is {value}, below zero."
                raise ConfigError(what, where=f"policy.{name}", how="Give zero or a positive number.")
        if self.max_complaint_share > MOST_COMPLAINTS:
            what = f"It is {self.max_complaint_share}, above {MOST_COMPLAINTS}."
            how = "Mailbox providers block senders with more; write 0.001 for one in a thousand."
            raise ConfigError(what, where="policy.max_complaint_share", how=how)
        if self.leave_p_lapse > self.enter_p_lapse:
            what = f"It is {self.leave_p_lapse}, above enter_p_lapse ({self.enter_p_lapse})."
            how = "Leave at or below the risk of entry, or contacts would leave the day after they enter."
            raise ConfigError(what, where="policy.leave_p_lapse", how=how)
        check_preset(self.preset)
        check_experiments(self.experiments)
        check_steps(self.steps)
        self._check_definition()
        for name, words in (("unknown_consent", UNKNOWN_CONSENT), ("language", tuple(LANGUAGES))):
            if getattr(self, name) not in words:
                what = f"It is {getattr(self, name)!r}."
                raise ConfigError(what, where=f"policy.{name}", how=f"Write one of {', '.join(words)}.")

    def _check_definition(self) -> None:
        known = (*BUILT_IN, *(own.name for own in self.definitions))
        if len(set(known)) < len(known):
            how = "Give each a name and version of its own."
            raise ConfigError("Two definitions have one name.", where="policy.definitions", how=how)
        if self.definition not in known:
            what = f"It is {self.definition!r}."
            how = f"Write one of {', '.join(known)}, or add it under [[policy.definitions]]."
            raise ConfigError(what, where="policy.definition", how=how)
