import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_auc_score, roc_curve

from tellsign_training import metrics
from tellsign_training.calibrate import BUDGETS, calibrate, platt, probability
from tellsign_training.evaluate import evaluate, summary
from tellsign_training.scores import Scores


def made(n: int = 400, tiers: int = 4, seed: int = 0) -> Scores:
    rng = np.random.default_rng(seed)
    ai = rng.random(n) < 0.4
    logits = (
        rng.normal(0, 1, (n, tiers)) * 0.3
        + rng.normal(0, 1, (n, 1))
        + np.where(ai, 1.5, 0)[:, None]
    )
    names = [f"g{i % 5}" for i in range(n)]
    return Scores(logits, ("clean", "web", "hard", "thumb"), ai, names, names, names, names)


def test_against_scikit_learn() -> None:
    scores = made()
    ai, s = scores.ai, scores.tier("web")
    assert metrics.auc(ai, s) == roc_auc_score(ai, s)
    false, true, _ = roc_curve(ai, s, drop_intermediate=False)
    for budget in (0.01, 0.05, 0.5):
        assert metrics.tpr_at_fpr(ai, s, budget) == true[false <= budget].max()
    low, high = metrics.bootstrap(metrics.auc, ai, s, rounds=200)
    assert low < metrics.auc(ai, s) < high


@given(
    st.lists(st.floats(-100, 100), min_size=20, max_size=300),
    st.sampled_from([0.0, 0.01, 0.05, 0.2]),
)
def test_a_threshold_keeps_its_budget_and_wastes_none(real: list[float], budget: float) -> None:
    scores = np.array(real)
    threshold = metrics.threshold_at_fpr(scores, budget)
    assert (scores >= threshold).mean() <= budget
    lower = scores[scores < threshold].max()
    assert (scores >= lower).mean() > budget


def test_wilson() -> None:
    # Wilson's interval for 10 of 100 (Newcombe, 1998, gives such values).
    assert metrics.wilson(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert metrics.wilson(0, 0) == (0, 1)


def test_calibration_error_of_a_calibrated_forecast_is_small() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(40_000)
    ai = rng.random(40_000) < p
    assert metrics.balanced_ece(ai, p) < 0.02
    assert metrics.balanced_ece(ai, np.clip(p + 0.2, 0, 0.999)) > 0.1
    observed, forecast = calibration_curve(ai, p, n_bins=15)
    assert np.abs(observed - forecast).max() < 0.05


def test_platt_recovers_the_logistic_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    s = rng.normal(0, 2, 60_000)
    ai = rng.random(60_000) < probability(s, -1.7, 0.0)
    a, b = platt(ai, s)
    assert a == pytest.approx(-1.7, rel=0.05)
    assert b == pytest.approx(0.0, abs=0.05)


def test_thresholds_hold_in_every_tier_and_the_report_says_so() -> None:
    scores = made(2000)
    data = calibrate(scores, "made")
    real = scores.logits[~scores.ai]
    for name, budget in BUDGETS.items():
        assert ((real >= data["thresholds"][name]["logit"]).mean(0) <= budget).all()
    calibration = calibration_of(data)
    report = evaluate(scores, calibration)
    assert all(t["fpr"]["value"] <= 0.01 for t in report["tiers"].values())
    p = probability(scores.logits, calibration.a, calibration.b)
    flips = [row.max() >= calibration.suspected and row.min() < calibration.unsure for row in p]
    assert report["flip_rate"] == pytest.approx(np.mean(flips), abs=1e-4)
    assert summary(report).count("\n") == 1 + len(scores.tiers)


def calibration_of(data):
    from tellsign.models import Calibration

    thresholds = data["thresholds"]
    return Calibration(
        data["platt"]["a"], data["platt"]["b"], thresholds["suspected"]["probability"],
        thresholds["unsure"]["probability"], "made",
    )  # fmt: skip


def test_scores_survive_their_file(tmp_path) -> None:
    scores = made(50)
    scores.save(tmp_path / "scores.csv")
    back = Scores.read(tmp_path / "scores.csv")
    np.testing.assert_allclose(back.logits, scores.logits, atol=1e-5)
    assert (back.ai == scores.ai).all()
    assert back.generator == scores.generator
    assert back.tiers == scores.tiers
