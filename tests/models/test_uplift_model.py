"""The uplift model finds whom a message moves, and its bundle is opened only as it was saved."""

import json

import numpy as np
import pytest

from winback_features.errors import InputError
from winback_models.uplift import (
    OF_ANY,
    OF_SQUARE,
    Experiment,
    curved,
    fit_uplift,
    forward_fitted,
    likely_slopes,
)
from winback_models.uplift_bundle import UpliftBundle, load_uplift, save_uplift

NAMES = ("a", "b", "c")


def experiment(n: int = 6000, seed: int = 0, holdout: float = 0.5) -> tuple[Experiment, np.ndarray]:
    """A message helps where ``a`` is above 1 and does harm elsewhere; ``b`` says who buys anyway; some are unknown."""
    rng = np.random.default_rng(seed)
    x = np.exp(rng.standard_normal((n, 3)))
    effect = np.where(x[:, 0] > 1, 0.2, -0.1)
    treated = rng.random(n) >= holdout
    anyway = np.clip(0.2 + 0.05 * np.log(x[:, 1]), 0.12, 0.5)
    bought = (rng.random(n) < anyway + effect * treated).astype(float)
    x[rng.random((n, 3)) < 0.05] = np.nan
    return Experiment(x, treated, bought, np.full(n, 1 - holdout)), effect


@pytest.fixture(scope="module")
def fitted():
    return fit_uplift(experiment()[0], NAMES)


def test_effects_are_found_among_contacts_never_seen(fitted):
    fresh, effect = experiment(3000, seed=1)
    found = fitted.effect(fresh.features)
    known = ~np.isnan(fresh.features[:, 0])
    assert np.corrcoef(found[known], effect[known])[0, 1] > 0.7
    assert found[known & (effect > 0)].mean() == pytest.approx(0.2, abs=0.06)
    assert found[known & (effect < 0)].mean() == pytest.approx(-0.1, abs=0.06)


@pytest.mark.parametrize("known", [0, 1])
def test_a_feature_that_hardly_anybody_has_changes_little(known):
    """A shop without events knows nothing of opens; one that has just begun knows of one contact's."""
    data, _ = experiment(600)
    opens = np.full((600, 1), np.nan)
    opens[:known] = 3.0
    more = Experiment(np.hstack([data.features, opens]), data.treated, data.bought, data.propensity)
    found = fit_uplift(more, (*NAMES, "opens")).effect(more.features)
    assert np.corrcoef(found, fit_uplift(data, NAMES).effect(data.features))[0, 1] > 0.98
    seen = np.hstack([data.features, np.full((600, 1), 5.0)])
    assert np.isfinite(fit_uplift(more, (*NAMES, "opens")).effect(seen)).all()


def test_what_says_who_buys_is_likelier_to_say_whom_a_message_moves():
    places = np.random.default_rng(0).random((2000, 4))
    places[:, 3] = 0.5  # the same for all
    anyway = 1 / (1 + np.exp(3 - 2 * places[:, 0] + 1 * places[:, 1]))
    likely = likely_slopes(curved(places), anyway)
    assert likely[:4] == pytest.approx(OF_ANY + np.array([1.0, 0.5, 0.0, 0.0]), abs=0.01)
    assert likely[4:] == pytest.approx(OF_SQUARE * likely[:4])
    assert likely_slopes(curved(places), np.full(2000, 0.1)) == pytest.approx(
        OF_ANY * np.repeat([1.0, OF_SQUARE], 4)
    )


def test_each_part_is_predicted_from_those_before_it():
    data, _ = experiment(600)
    found = forward_fitted(data, NAMES, parts=3)
    first, second, third = (part for _, part in data.folds(3, 0))
    assert np.isnan(found[first]).all()
    assert np.array_equal(found[second], fit_uplift(data.take(first), NAMES).effect(data.features[second]))
    both = data.take(np.concatenate([first, second]))
    assert np.array_equal(found[third], fit_uplift(both, NAMES).effect(data.features[third]))


def test_the_same_data_give_the_same_effects(fitted):
    data, _ = experiment()
    assert np.array_equal(fit_uplift(data, NAMES).effect(data.features), fitted.effect(data.features))


def test_refuses_what_does_not_fit(fitted):
    with pytest.raises(ValueError, match="3 features"):
        fitted.effect(np.zeros((2, 4)))
    yes = np.ones(2, bool)
    with pytest.raises(ValueError, match="long"):
        Experiment(np.zeros((3, 1)), yes, np.ones(2), np.full(2, 0.5))
    with pytest.raises(ValueError, match="propensity"):
        Experiment(np.zeros((2, 1)), yes, np.ones(2), np.ones(2))


def test_a_bundle_comes_back_as_it_was(fitted, tmp_path):
    assert load_uplift(tmp_path / "nowhere") is None
    digest = save_uplift(tmp_path, UpliftBundle(fitted, -0.01, {"contacts": 6000}))
    found = load_uplift(tmp_path)
    assert (found.digest, found.asleep_at_most, found.info) == (digest, -0.01, {"contacts": 6000})
    x = experiment(50, seed=2)[0].features
    effect, worth, asleep = found.decide(x, np.full(50, 10.0))
    assert np.array_equal(effect, fitted.effect(x))
    assert np.array_equal(worth, effect * 10)
    assert np.array_equal(asleep, effect <= -0.01)
    assert 0 < asleep.sum() < 50


def test_without_a_limit_nobody_is_left_asleep(fitted):
    x = experiment(50, seed=2)[0].features
    assert not UpliftBundle(fitted, None, {}).decide(x, np.ones(50))[2].any()


@pytest.mark.parametrize("damage", ["state", "format", "version", "torn"])
def test_a_changed_bundle_is_not_opened(fitted, tmp_path, damage):
    save_uplift(tmp_path, UpliftBundle(fitted, None, {}))
    about = tmp_path / "uplift.json"
    said = json.loads(about.read_text())
    if damage == "state":
        (tmp_path / "uplift.joblib").write_bytes(b"something else")
    elif damage == "torn":
        about.write_text("{")
    else:
        said |= {"format": 99} if damage == "format" else {"scikit-learn": "0.1.2"}
        about.write_text(json.dumps(said))
    with pytest.raises(InputError, match="uplift model") as refused:
        load_uplift(tmp_path)
    assert "winback uplift" in refused.value.how
