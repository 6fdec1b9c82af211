"""Fit one peer on purchase histories and write what it says of them: a process of its own, in the peer's own environment.

    python benchmarks/peer_fit.py pymc-marketing bg_nbd map --histories histories.csv --days 3,5,8 --out answers.npz

Nothing of winback is imported here, and a peer only when it is asked for. Histories have the columns ``frequency, recency, T``,
the last two in weeks, as in the peers' own examples: the default priors of pymc-marketing are made for such numbers. Written
are ``parameters`` (draws, 4) in weeks, ``expected`` purchases within the last of the days, and ``p_purchase`` (contacts, days)
where the peer itself has a method for it. What happened is printed as JSON.
"""

import argparse
import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

WEEK = 7.0
PARAMETERS = {
    "bg_nbd": ("r", "alpha", "a", "b"),
    "mbg_nbd": ("r", "alpha", "a", "b"),
    "pareto_nbd": ("r", "alpha", "s", "beta"),
}
ATTEMPTS: tuple[dict[str, float], ...] = (
    {},
    {"tol": 1e-5},
    {"tol": 1e-4},
    {"penalizer_coef": 0.001},
    {"penalizer_coef": 0.01},
)
"""What lifetimes is given until a fit converges: its defaults, a wider tolerance, then the penalizer that its message advises."""

CHAINS, TUNE, DRAWS, KEPT = 2, 500, 500, 200
"""A bounded NUTS: half the steps and half the chains of PyMC's defaults; predictions are the mean over 200 of the draws."""


def lifetimes(kind: str, _: str, told: pd.DataFrame, weeks: np.ndarray) -> tuple[dict[str, Any], str]:
    """Fit by maximum likelihood."""
    import lifetimes as library

    fitters = {"bg_nbd": "BetaGeoFitter", "mbg_nbd": "ModifiedBetaGeoFitter", "pareto_nbd": "ParetoNBDFitter"}
    history = [told[name].to_numpy() for name in ("frequency", "recency", "T")]
    failed = []
    for attempt in ATTEMPTS:
        tolerance = {name: value for name, value in attempt.items() if name == "tol"}
        model = getattr(library, fitters[kind])(attempt.get("penalizer_coef", 0.0))
        said = " ".join(f"{name} {value:g}" for name, value in attempt.items()) or "defaults"
        try:
            model.fit(*history, **tolerance)
        except Exception as error:  # whatever it raises is a result here
            failed.append(f"{type(error).__name__} with {said}")
            continue
        answers = {
            "parameters": model.params_[list(PARAMETERS[kind])].to_numpy()[None, :],
            "expected": model.conditional_expected_number_of_purchases_up_to_time(weeks[-1], *history),
        }
        if kind == "pareto_nbd":
            none = [model.conditional_probability_of_n_purchases_up_to_time(0, t, *history) for t in weeks]
            answers["p_purchase"] = 1.0 - np.column_stack(none)
        return answers, "; ".join([*failed, f"fitted with {said}" if failed else "no error"])
    raise RuntimeError("; ".join(failed))


def pymc_marketing(
    kind: str, method: str, told: pd.DataFrame, weeks: np.ndarray
) -> tuple[dict[str, Any], str]:
    """Fit with the default priors: the mode of the posterior, or draws from it."""
    from pymc_marketing import clv  # type: ignore[import-not-found]

    classes = {"bg_nbd": "BetaGeoModel", "mbg_nbd": "ModifiedBetaGeoModel", "pareto_nbd": "ParetoNBDModel"}
    model = getattr(clv, classes[kind])()
    told = told.assign(customer_id=np.arange(len(told)))
    note = "no error; MAP does not say whether it converged"
    if method == "map":
        model.fit(told, method="map", progressbar=False)
    else:
        import arviz  # type: ignore[import-not-found]

        steps = {"chains": CHAINS, "cores": CHAINS, "tune": TUNE, "draws": DRAWS}
        drawn = model.fit(told, method="mcmc", random_seed=1, progressbar=False, **steps)
        names = list(PARAMETERS[kind])
        r_hat = max(float(v) for v in arviz.rhat(drawn, var_names=names).values())
        note = f"largest R-hat {r_hat:.3f}, {int(drawn.sample_stats['diverging'].sum())} divergences"
        model.idata = drawn.isel(draw=slice(None, None, CHAINS * DRAWS // KEPT))

    def mean(found: Any) -> np.ndarray:
        return np.asarray(found.mean(("chain", "draw")))

    posterior = model.idata.posterior
    answers = {
        "parameters": np.column_stack([np.ravel(posterior[name]) for name in PARAMETERS[kind]]),
        "expected": mean(model.expected_purchases(told, future_t=weeks[-1])),
    }
    if kind == "bg_nbd":
        none = [mean(model.expected_probability_no_purchase(t, told)) for t in weeks]
    elif kind == "pareto_nbd":
        none = [mean(model.expected_purchase_probability(told, n_purchases=0, future_t=t)) for t in weeks]
    else:
        return answers, note
    return {**answers, "p_purchase": 1.0 - np.column_stack(none)}, note


def peak_mb() -> float:
    """Return the peak memory of this process in MB; what its parent is told would count the parent's own as well."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next(
        (int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:")), float("nan")
    )


LIBRARIES = {"lifetimes": lifetimes, "pymc-marketing": pymc_marketing}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("kind", choices=PARAMETERS)
    parser.add_argument("method", choices=("ml", "map", "nuts"))
    parser.add_argument("--histories", type=Path, required=True)
    parser.add_argument("--days", required=True, help="ends of the steps ahead, separated by commas")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    weeks = np.array([float(day) for day in chosen.days.split(",")]) / WEEK
    fit = LIBRARIES[chosen.library]
    answers, note = fit(chosen.kind, chosen.method, pd.read_csv(chosen.histories), weeks)
    np.savez(chosen.out, **answers)
    print(json.dumps({"note": note, "version": version(chosen.library), "peak": peak_mb()}))


if __name__ == "__main__":
    main()
