from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    precision_score,
    roc_auc_score,
    roc_curve,
)

from tellsign.models import Calibration
from tellsign_training import metrics
from tellsign_training.calibrate import BUDGETS, calibrate, platt, probability
from tellsign_training.data import DataError
from tellsign_training.evaluate import evaluate, summary, worst
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


def test_against_scikit_learn_for_every_draw() -> None:
    scores = made()
    ai, s = scores.ai, np.round(scores.tier("web"), 1)  # with many ties
    hit, p = s > 1, probability(s, -1.0, 0.5)
    weight = np.concatenate([np.ones((1, len(ai))), *metrics.draws(ai, 5)])
    assert (weight[:, ai].sum(1) == ai.sum()).all()
    for row, w in enumerate(weight):
        known: dict[str, Any] = {"sample_weight": w}
        false, true, _ = roc_curve(ai, s, drop_intermediate=False, **known)
        balanced = w * np.where(ai, 1 / ai.sum(), 1 / (~ai).sum())
        expected = {
            "auc": (metrics.auc(ai, s, weight), roc_auc_score(ai, s, **known)),
            "ap": (
                metrics.average_precision(ai, s, weight),
                average_precision_score(ai, s, **known),
            ),
            "tpr": (metrics.tpr_at_fpr(ai, s, weight, 0.05), true[false <= 0.05].max()),
            "balanced": (
                metrics.balanced_accuracy(ai, hit, weight),
                balanced_accuracy_score(ai, hit, **known),
            ),
            "f1": (metrics.f1(ai, hit, weight), f1_score(ai, hit, **known)),
            "precision": (metrics.share(ai, hit, weight), precision_score(ai, hit, **known)),
            "brier": (
                metrics.brier(ai, p, weight),
                brier_score_loss(ai, p, sample_weight=balanced),
            ),
        }
        for name, (ours, theirs) in expected.items():
            assert ours[row] == pytest.approx(theirs), name


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    truth = norm.cdf(1 / np.sqrt(2))  # the AUC of two normal distributions one apart
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        ai = np.arange(120) < 60
        s = rng.normal(ai.astype(float))
        found = metrics.measured({"auc": partial(metrics.auc, ai, s)}, ai, rounds=300)["auc"]
        held += found["low"] <= truth <= found["high"]
    assert held >= 52


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
    one = np.ones((1, len(ai)))
    assert metrics.balanced_ece(ai, p, one) < 0.02
    assert metrics.balanced_ece(ai, np.clip(p + 0.2, 0, 0.999), one) > 0.1


def test_reliability_is_scikit_learn_s_where_both_classes_have_the_same_size() -> None:
    rng = np.random.default_rng(0)
    ai = np.arange(2000) % 2 == 0
    p = rng.beta(2, 2, 2000) * 0.7 + 0.3 * ai
    observed, forecast = calibration_curve(ai, p, n_bins=metrics.ECE_BINS)
    assert metrics.reliability(ai, p) == [
        pytest.approx(point) for point in zip(forecast, observed, strict=True)
    ]


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
    assert report["flip_rate"]["value"] == pytest.approx(np.mean(flips), abs=1e-4)
    assert summary(report).count("\n") == 1 + len(scores.tiers)


def calibration_of(data):
    thresholds = data["thresholds"]
    return Calibration(
        data["platt"]["a"], data["platt"]["b"], thresholds["suspected"]["probability"],
        thresholds["unsure"]["probability"], "made",
    )  # fmt: skip


def test_an_overconfident_model_keeps_its_ranking() -> None:
    scores = made()
    calm = Calibration(-1.0, 0.0, 0.9, 0.8, "made")
    loud = Calibration(-1000.0, 0.0, 0.9, 0.8, "made")  # all probabilities are 0 or 1
    a, b = (evaluate(scores, c)["tiers"]["clean"]["auc"] for c in (calm, loud))
    assert a == b


def test_the_worst_group_is_one_of_some_size() -> None:
    groups = {
        "few": {"n": 2, "value": 0.5},
        "a": {"n": 50, "value": 0.1},
        "b": {"n": 50, "value": 0},
    }
    assert worst(groups, highest=True)["name"] == "a"
    assert worst(groups, highest=False)["name"] == "b"
    assert worst({"few": groups["few"]}, highest=True)["name"] == "few"


def test_one_class_alone_is_not_measured() -> None:
    scores = made()
    with pytest.raises(DataError, match="both"):
        evaluate(replace(scores, ai=scores.ai | True), Calibration(-1.0, 0.0, 0.9, 0.8, "made"))
