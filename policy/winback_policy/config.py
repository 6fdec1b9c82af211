"""What the win-back policy can be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PolicyConfig:
    """Thresholds and limits of the win-back decision.

    Attributes
    ----------
    enter_p_lapse, leave_p_lapse : float
        A contact enters at or above the first and leaves below the second (hysteresis).
    lead_days : int
        A contact is flagged this many days before its own rhythm calls it late.
    quiet_days : int
        Activity (purchase, visit, click) in the last so many days blocks a flag: not pushy.
    service_days : int
        A service contact in the last so many days counts as an open complaint.
    cart_days : int
        A cart left open in the last so many days belongs to the cart journey.
    cooldown_days : int
        After leaving, a contact is not flagged again for so long.
    journey_days : int
        A contact that has not bought so long after entry goes to ``sunset``.
    capacity : int, optional
        At most so many entries a day, best first; no limit when absent.
    holdout_share : float
        Share of the flagged that is held out, by a stable salted hash of the contact.
    holdout_salt : str
        Change it to draw another holdout.
    unknown_consent : {"flag", "block"}
        What to do where no consent is recorded.
    """

    enter_p_lapse: float = 0.5
    leave_p_lapse: float = 0.35
    lead_days: int = 3
    quiet_days: int = 2
    service_days: int = 7
    cart_days: int = 3
    cooldown_days: int = 30
    journey_days: int = 90
    capacity: int | None = None
    holdout_share: float = 0.1
    holdout_salt: str = "winback"
    unknown_consent: str = "flag"
