"""An accepted uplift model at rest: two files, and a digest that is checked before anything is unpickled."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib

from winback_features.errors import InputError
from winback_features.files import file_digest
from winback_models.btyd import Array
from winback_models.uplift import UpliftModel

FORMAT = 2
STATE, ABOUT = "uplift.joblib", "uplift.json"


@dataclass(frozen=True)
class UpliftBundle:
    """The model that ranks, and whom it leaves asleep.

    Attributes
    ----------
    model : UpliftModel
    asleep_at_most : float or None
        A contact whose effect is no larger is left asleep; None where nobody is.
    info : dict
        JSON-ready: how it was judged.
    digest : str
        SHA-256 of the fitted state; empty before it is saved.
    """

    model: UpliftModel
    asleep_at_most: float | None
    info: dict[str, Any]
    digest: str = ""

    def decide(self, features: Array, value: Array) -> tuple[Array, Array, Any]:
        """Return effect, incremental value and whether the contact is left asleep, each of shape (n,).

        Parameters
        ----------
        features : ndarray of float, shape (n, d)
        value : ndarray of float, shape (n,)
            Margin that a purchase of the contact is expected to bring.
        """
        effect = self.model.effect(features)
        asleep = effect <= (self.asleep_at_most if self.asleep_at_most is not None else -float("inf"))
        return effect, effect * value, asleep


def save_uplift(folder: Path, bundle: UpliftBundle) -> str:
    """Write a bundle and return the digest of its state."""
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(bundle.model, folder / STATE, compress=3)
    digest = file_digest(folder / STATE)
    described = {
        "format": FORMAT,
        "sha256": digest,
        "scikit-learn": version("scikit-learn"),
        "features": list(bundle.model.names),
        "asleep_at_most": bundle.asleep_at_most,
        "info": bundle.info,
    }
    text = json.dumps(described, indent=2, sort_keys=True) + "\n"
    (folder / ABOUT).write_text(text, encoding="utf-8")
    return digest


def load_uplift(folder: Path) -> UpliftBundle | None:
    """Read a bundle back; None where there is none.

    Raises
    ------
    InputError
        When it was changed, or written by a version that this one cannot read.
    """
    if not (folder / ABOUT).exists():
        return None
    how = (
        "Fit it again with `winback uplift`, or delete the folder: then the list is ranked by value at risk."
    )
    try:
        described = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        digest = file_digest(folder / STATE)
    except (OSError, ValueError) as error:
        raise InputError(f"The uplift model cannot be read ({error}).", where=str(folder), how=how) from error
    if described.get("sha256") != digest:
        what = (
            "The uplift model was changed after it was saved: its digest does not match; it was not opened."
        )
        raise InputError(what, where=str(folder), how=how)
    here = version("scikit-learn").split(".")[:2]
    if described.get("format") != FORMAT or described["scikit-learn"].split(".")[:2] != here:
        raise InputError("The uplift model was saved by another version.", where=str(folder), how=how)
    model: UpliftModel = joblib.load(folder / STATE)
    return UpliftBundle(model, described["asleep_at_most"], described["info"], digest)
