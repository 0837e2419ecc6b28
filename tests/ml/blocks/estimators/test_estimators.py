"""Estimators give scikit-learn's numbers from arrays alone, and come back from safetensors as they were."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn import decomposition
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression as SklearnLogistic
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from ml.blocks.estimators.base import ABSENT_LOGIT
from ml.blocks.estimators.calibration import Platt, Temperature
from ml.blocks.estimators.forest import RandomForest
from ml.blocks.estimators.logistic import LogisticRegression
from ml.blocks.estimators.pca import PCA
from ml.blocks.estimators.standardiser import Standardiser
from ml.blocks.estimators.subspace_discriminants import SubspaceDiscriminants
from ml.blocks.estimators.svm import RbfSvm
from ml.runs.errors import RunRefused


def rows(n=120, classes=2, features=7, seed=0):
    """Overlapping classes; (n, features) in float32, as features of networks come, and labels (n,)."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return (rng.normal(size=(n, features)) + 0.8 * y[:, None]).astype(np.float32), y


def close(found, expected, atol=1e-9):
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=atol)


FITTED = {
    "standardiser": lambda x, y: Standardiser().fit(x),
    "pca": lambda x, y: PCA(3).fit(x),
    "logistic": lambda x, y: LogisticRegression().fit(x, y),
    "logistic, non-negative": lambda x, y: LogisticRegression(non_negative=True).fit(x, y),
    "forest": lambda x, y: RandomForest(trees=10).fit(x, y, seed=0),
    "svm": lambda x, y: RbfSvm().fit(x, y, seed=0),
    "discriminants": lambda x, y: SubspaceDiscriminants(count=5).fit(x, y, seed=0),
    "platt": lambda x, y: Platt().fit(x[:, 0], y),
    "temperature": lambda x, y: Temperature().fit(x[:, :2], y),
}
UNFITTED = {
    "standardiser": Standardiser,
    "pca": lambda: PCA(3),
    "logistic": LogisticRegression,
    "logistic, non-negative": lambda: LogisticRegression(non_negative=True),
    "forest": lambda: RandomForest(trees=10),
    "svm": RbfSvm,
    "discriminants": lambda: SubspaceDiscriminants(count=5),
    "platt": Platt,
    "temperature": Temperature,
}
INPUTS = {"platt": 1, "temperature": 2}


@pytest.mark.parametrize("name", FITTED)
def test_what_was_saved_comes_back_and_gives_the_same_numbers(name, tmp_path):
    x, y = rows()
    fitted = nn.ModuleDict({"est": FITTED[name](x, y)})
    save_file(fitted.state_dict(), tmp_path / "weights.safetensors")
    fresh = nn.ModuleDict({"est": UNFITTED[name]()})
    assert not fresh["est"].fitted
    fresh.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    seen = torch.from_numpy(x[:, : INPUTS.get(name, 7)])
    assert torch.equal(fresh["est"](seen), fitted["est"](seen))
    assert list(fresh.parameters()) == []


@pytest.mark.parametrize("name", FITTED)
def test_another_fit_of_other_shapes_may_be_loaded_over_the_first(name):
    first, second = FITTED[name](*rows()), FITTED[name](*rows(60, features=9, seed=1))
    first.load_state_dict(second.state_dict())
    seen = torch.from_numpy(rows(features=9, seed=2)[0][:, : INPUTS.get(name, 9)])
    assert torch.equal(first(seen), second(seen))


@pytest.mark.parametrize("name", FITTED)
def test_the_same_rows_and_seed_give_the_same_arrays(name):
    a, b = (FITTED[name](*rows()).state_dict() for _ in range(2))
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", UNFITTED)
def test_an_estimator_that_was_not_fitted_says_so(name):
    with pytest.raises(AssertionError, match="was not fitted"):
        UNFITTED[name]()(torch.zeros(2, INPUTS.get(name, 7)))


@pytest.mark.parametrize("name", sorted(set(FITTED) - {"standardiser", "pca", "temperature"}))
def test_rows_of_one_class_are_refused(name):
    x, y = rows()
    with pytest.raises(RunRefused) as error:
        FITTED[name](x, np.zeros_like(y))
    assert error.value.code == "one_class"


def test_a_missing_array_is_an_error_of_loading():
    state = Platt().fit(*[a[:, 0] if a.ndim == 2 else a for a in rows()]).state_dict()
    del state["slope"]
    with pytest.raises(RuntimeError, match="slope"):
        Platt().load_state_dict(state)


def test_features_are_standardised_and_constant_ones_left():
    x, _ = rows()
    x[:, 3] = 0.1
    found = Standardiser().fit(x)(torch.from_numpy(x))
    close(found, StandardScaler().fit_transform(x.astype(np.float64)))
    assert found[:, 3].abs().max() < 1e-6


@pytest.mark.parametrize(
    ("ours", "theirs"), [(PCA(3), decomposition.PCA(3)), (PCA(variance=0.8), decomposition.PCA(0.8))]
)
def test_components_are_those_of_scikit_learn(ours, theirs):
    x, _ = rows()
    close(ours.fit(x)(torch.from_numpy(x)), theirs.fit_transform(x.astype(np.float64)))


def test_no_more_components_than_rows_or_features():
    x, _ = rows(5)
    assert PCA(64).fit(x)(torch.from_numpy(x)).shape == (5, 5)


@pytest.mark.parametrize(("classes", "balanced"), [(2, False), (2, True), (4, False)])
def test_logistic_regression_equals_scikit_learn(classes, balanced):
    x, y = rows(101, classes)
    weight = "balanced" if balanced else None
    theirs = SklearnLogistic(C=0.5, class_weight=weight, tol=1e-8, max_iter=10_000).fit(x.astype(np.float64), y)
    ours = LogisticRegression(classes, strength=0.5, balanced=balanced).fit(x, y)
    close(ours(torch.from_numpy(x)), theirs.predict_proba(x))
    if classes == 2:
        assert (ours.logits(torch.from_numpy(x))[:, 0] == 0).all()


def test_weights_that_are_positive_anyway_are_those_of_the_free_fit():
    x, y = rows(100)  # each feature speaks for class 1
    free, held = LogisticRegression().fit(x, y), LogisticRegression(non_negative=True).fit(x, y)
    assert (free.weight[1] > 0).all()
    torch.testing.assert_close(held.weight, free.weight, atol=1e-5, rtol=0)
    torch.testing.assert_close(held.bias, free.bias, atol=1e-5, rtol=0)


def test_a_member_that_speaks_against_itself_gets_no_weight():
    x, y = rows(100)
    x[:, 0] *= -1
    held = LogisticRegression(non_negative=True).fit(x, y)
    assert held.weight[1, 0] == 0
    without = LogisticRegression(non_negative=True).fit(x[:, 1:], y)
    torch.testing.assert_close(held.weight[1, 1:], without.weight[1], atol=1e-4, rtol=0)
    assert LogisticRegression().fit(x, y).weight[1, 0] < 0


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("balanced", [True, False])
def test_a_forest_gives_the_probabilities_of_scikit_learn(classes, balanced):
    x, y = rows(150, classes)
    theirs = RandomForestClassifier(
        30, min_samples_leaf=3, class_weight="balanced_subsample" if balanced else None, random_state=3
    ).fit(x, y)
    ours = RandomForest(classes, trees=30, balanced=balanced).fit(x, y, seed=3)
    seen = rows(500, classes, seed=9)[0]
    close(ours(torch.from_numpy(seen)), theirs.predict_proba(seen))
    members = ours.members(torch.from_numpy(seen))
    close(members, np.stack([tree.predict_proba(seen) for tree in theirs.estimators_]))


def test_rows_on_a_threshold_go_the_way_of_scikit_learn():
    x, y = rows(150)
    x = np.round(x * 4) / 4  # many equal values, and float64 input that float32 cannot hold
    theirs = RandomForestClassifier(20, min_samples_leaf=1, random_state=0).fit(x, y)
    ours = RandomForest(trees=20, min_leaf=1, balanced=False).fit(x, y, seed=0)
    thresholds = ours.threshold[ours.left != torch.arange(len(ours.left))].numpy()
    seen = np.resize(np.concatenate([thresholds, np.nextafter(thresholds, 9)]), (200, 7))
    close(ours(torch.from_numpy(seen)), theirs.predict_proba(seen))


def test_votes_and_variance_say_how_the_trees_disagree():
    x, y = rows(150)
    forest = RandomForest(trees=30).fit(x, y, seed=0)
    seen = torch.from_numpy(x)
    members = forest.members(seen).numpy()
    share = (members[..., 1] > 0.5).mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nan_to_num(share * np.log(share)) - np.nan_to_num((1 - share) * np.log(1 - share))
    close(forest.vote_entropy(seen), entropy)
    close(forest.variance(seen), members.var(0))
    assert forest.vote_entropy(seen).max() > 0.5


def test_a_class_that_training_did_not_show_has_probability_zero():
    x, y = rows(120, 3)
    y = np.where(y == 1, 3, y)  # of A, B, C, D there is no B
    seen = torch.from_numpy(x)
    fitted = (
        RandomForest(4, trees=10).fit(x, y, seed=0),
        LogisticRegression(4).fit(x, y),
        SubspaceDiscriminants(4, count=5).fit(x, y, seed=0),
    )
    for estimator in fitted:
        p = estimator(seen)
        assert (p[:, 1] == 0).all()
        torch.testing.assert_close(p.sum(1), torch.ones(120, dtype=torch.float64))
        assert (p.argmax(1).numpy() == y).mean() > 0.5
    assert (fitted[1].logits(seen)[:, 1] == ABSENT_LOGIT).all()


def test_two_classes_of_four_are_told_apart_in_their_own_columns():
    x, y = rows(120)
    y = np.where(y == 1, 3, 2)
    for estimator in (LogisticRegression(4).fit(x, y), SubspaceDiscriminants(4).fit(x, y, seed=0)):
        p = estimator(torch.from_numpy(x))
        assert (p[:, :2] == 0).all()
        assert (p.argmax(1).numpy() == y).mean() > 0.8


def test_the_margin_of_the_machine_is_that_of_scikit_learn():
    x, y = rows(90)
    ours = RbfSvm(strength=2.0).fit(x, y, seed=0)
    theirs = SVC(C=2.0, class_weight="balanced").fit(x.astype(np.float64), y)
    seen = rows(300, seed=4)[0]
    close(ours.decision(torch.from_numpy(seen)), theirs.decision_function(seen.astype(np.float64)))
    p = ours(torch.from_numpy(seen))
    assert (p[:, 1].argsort() == ours.decision(torch.from_numpy(seen)).argsort()).all()


def test_the_scaling_of_the_machine_is_fitted_on_patients_that_it_did_not_see():
    """Pairs of almost equal rows with one random label a pair: own margins look perfect, held-out ones are a coin."""
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(40), 2)
    x = np.repeat(rng.normal(size=(40, 5)), 2, 0) + 0.001 * rng.normal(size=(80, 5))
    y = np.repeat(rng.permutation(np.arange(40) % 2), 2)
    seen = torch.from_numpy(x)
    own = RbfSvm(strength=100.0).fit(x, y, seed=0)(seen)[:, 1].numpy()
    held_out = RbfSvm(strength=100.0).fit(x, y, seed=0, groups=patient)(seen)[:, 1].numpy()
    assert np.abs(own - 0.5).mean() > 0.35
    assert np.abs(held_out - 0.5).mean() < 0.2


@pytest.mark.parametrize("classes", [2, 3])
def test_discriminants_give_the_probabilities_of_scikit_learn(classes):
    x, y = rows(90, classes)
    member = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    theirs = BaggingClassifier(member, 12, max_features=0.5, bootstrap=False, random_state=5).fit(
        x.astype(np.float64), y
    )
    ours = SubspaceDiscriminants(classes, count=12).fit(x, y, seed=5)
    seen = torch.from_numpy(rows(200, classes, seed=2)[0])
    close(ours(seen), theirs.predict_proba(seen.double().numpy()))
    assert ours.members(seen).shape == (12, 200, classes)
    assert ours.members(seen).var(0).max() > 0


def test_platt_scaling_equals_scikit_learn():
    x, y = rows(100)
    machine = SVC(class_weight="balanced").fit(x, y)
    scores = machine.decision_function(x)
    theirs = CalibratedClassifierCV(FrozenEstimator(machine), method="sigmoid").fit(x, y)
    ours = Platt().fit(scores, y)
    close(ours(torch.from_numpy(scores)), theirs.predict_proba(x), atol=1e-5)


def test_separable_scores_do_not_make_a_step():
    scores, y = np.array([-3.0, -2, -1, 1, 2, 3]), np.array([0, 0, 0, 1, 1, 1])
    p = Platt().fit(scores, y)(torch.from_numpy(scores))[:, 1]
    assert 0.05 < p[0] < p[2] < 0.5 < p[3] < p[5] < 0.95


def test_temperature_undoes_a_scaling():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4000, 3)) * 2
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    y = np.array([rng.choice(3, p=row) for row in p])
    ours = Temperature().fit(3 * z, y)
    assert ours.temperature.item() == pytest.approx(3.0, rel=0.1)
    close(ours(torch.from_numpy(3 * z)), p, atol=0.03)


def test_trees_are_asked_about_the_rows_that_they_did_not_see() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 6)), rng.integers(0, 2, 80)  # nothing to learn
    forest = RandomForest(3, trees=40, min_leaf=1).fit(x, y, seed=0)
    assert forest.out_of_bag is not None and forest.out_of_bag.shape == (80, 3)
    torch.testing.assert_close(forest.out_of_bag.sum(1), torch.ones(80, dtype=torch.float64))
    seen, unseen = forest(torch.from_numpy(x)), forest.out_of_bag
    own = torch.arange(80), torch.from_numpy(y)
    assert seen[own].mean() > 0.75 and unseen[own].mean() < 0.55
    few = RandomForest(2, trees=1).fit(x, y, seed=0)
    assert few.out_of_bag is not None and (few.out_of_bag == 0.5).all(1).any()
