"""Random forest: trees as arrays, walked by all rows and all trees at once. Source: Breiman 2001."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import Tensor

from ml.blocks.estimators.base import Estimator, Labels, training_rows

ROWS_AT_ONCE = 4096
"""So that the table of rows x trees x classes stays small."""


def _children(trees: list[Any], roots: Labels, side: str) -> Labels:
    """Of every node of every tree the child on that side as an index into all nodes; of a leaf the leaf itself."""
    moved = np.concatenate([getattr(tree, side) + root for tree, root in zip(trees, roots[:-1], strict=True)])
    leaf = np.concatenate([getattr(tree, side) < 0 for tree in trees])
    return np.where(leaf, np.arange(roots[-1]), moved)


class RandomForest(Estimator):
    """(N, D) to probabilities (N, C), the mean of the trees' leaves.

    All trees' nodes lie one after the other: `feature`, `threshold`, `left`, `right` (indices into the same arrays; a
    leaf is its own child) and `value` (nodes, C). `root` (T,) is where each tree begins, `depth` the longest walk.
    Each split tries sqrt(D) features; `balanced` weighs the classes within each bootstrap. After a fit, and in no state
    dict, `out_of_bag` (N, C) is what the trees say of the rows that each of them did not see.
    """

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    root: Tensor
    depth: Tensor

    def __init__(self, classes: int = 2, *, trees: int = 200, min_leaf: int = 3, balanced: bool = True) -> None:
        indices = dict.fromkeys(("feature", "left", "right", "root", "depth"), torch.int64)
        super().__init__({**indices, "threshold": torch.float64, "value": torch.float64})
        self.out_of_bag: Tensor | None = None
        self.classes, self.trees, self.min_leaf, self.balanced = classes, trees, min_leaf, balanced

    def fit(self, x: npt.ArrayLike, y: npt.ArrayLike, *, seed: int) -> Self:
        """x (N, D), y (N,) class indices. Raises RunRefused."""
        rows, labels = training_rows(x, y, self.classes)
        forest = RandomForestClassifier(
            self.trees,
            min_samples_leaf=self.min_leaf,
            max_features="sqrt",
            class_weight="balanced_subsample" if self.balanced else None,
            random_state=seed,
            oob_score=True,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Some inputs do not have OOB scores")  # see _keep_out_of_bag
            forest.fit(rows, labels)
        self._keep_out_of_bag(forest)
        trees = [member.tree_ for member in forest.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in trees)])
        left, right = (_children(trees, roots, side) for side in ("children_left", "children_right"))
        values = np.zeros((roots[-1], self.classes))
        values[:, forest.classes_] = np.concatenate([tree.value[:, 0] for tree in trees])
        self.keep(
            feature=np.maximum(np.concatenate([tree.feature for tree in trees]), 0),
            threshold=np.concatenate([tree.threshold for tree in trees]),
            left=left,
            right=right,
            value=values / values.sum(1, keepdims=True),
            root=roots[:-1],
            depth=[max(tree.max_depth for tree in trees)],
        )
        return self

    def _keep_out_of_bag(self, forest: RandomForestClassifier) -> None:
        said = np.array(forest.oob_decision_function_)
        said[said.sum(1) == 0] = 1 / len(forest.classes_)  # of a row that every tree saw nothing is known
        self.out_of_bag = torch.zeros(len(said), self.classes, dtype=torch.float64)
        self.out_of_bag[:, forest.classes_] = torch.from_numpy(said)

    def members(self, x: Tensor) -> Tensor:
        """(T, N, C) probabilities of each tree, as Monte-Carlo passes come."""
        # scikit-learn's trees see float32, so a row between a threshold and its rounding goes the same way.
        rows = self.checked(x.float())
        return torch.cat([self._walk(part) for part in rows.split(ROWS_AT_ONCE)], 1)

    def _walk(self, rows: Tensor) -> Tensor:
        node = self.root[:, None].expand(-1, len(rows))  # (T, N)
        row = torch.arange(len(rows), device=rows.device)
        for _ in range(int(self.depth)):
            below = rows[row, self.feature[node]] <= self.threshold[node]
            node = torch.where(below, self.left[node], self.right[node])
        return self.value[node]

    def forward(self, x: Tensor) -> Tensor:
        return self.members(x).mean(0)

    def vote_entropy(self, x: Tensor) -> Tensor:
        """(N,) entropy in nats of the shares of trees that vote for each class."""
        votes = torch.nn.functional.one_hot(self.members(x).argmax(2), self.classes).double().mean(0)
        return torch.special.entr(votes).sum(1)

    def variance(self, x: Tensor) -> Tensor:
        """(N, C) variance of the class probabilities over the trees."""
        return self.members(x).var(0, correction=0)
