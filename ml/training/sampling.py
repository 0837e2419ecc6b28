"""Which samples a step sees: a pure function of (seed, position), so that a resumed run sees what it would have."""

import hashlib
from collections.abc import Sequence

import numpy as np

BALANCE_POWER = -0.5
#: Marked (1) and not (0), over and over: a half, or four fifths, of every batch holds a mark.
PATTERNS = {"half_marked": (1, 0), "mostly_marked": (1, 1, 1, 1, 0)}


class SampleOrder:
    """An endless sequence of sample indices in epochs of one draw per sample."""

    def __init__(self, kind: str, groups: Sequence[int], seed: int) -> None:
        """`groups` per sample: its class for `class_balanced`, 1 or 0 for marked or not for those of `PATTERNS`."""
        self.kind, self.seed, self.n = kind, seed, len(groups)
        self.groups = np.asarray(groups)
        self._epoch: tuple[int, np.ndarray] = (-1, np.zeros(0, dtype=np.int64))

    def at(self, position: int) -> tuple[int, int, int]:
        """(sample, epoch, place in the epoch) of the position."""
        epoch, place = divmod(position, self.n)
        drawn = self._epoch
        if drawn[0] != epoch:
            # Threads load ahead across the end of an epoch: each goes by what it holds in its own hands.
            drawn = self._epoch = (epoch, self._draw(epoch))
        return int(drawn[1][place]), epoch, place

    def _draw(self, epoch: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, epoch])
        if self.kind == "class_balanced":
            return rng.choice(self.n, self.n, p=self.weights())
        if self.kind in PATTERNS and 0 < self.groups.sum() < self.n:
            # In turn, so that every batch holds its share of marks; the rarer ones are seen several times an epoch.
            turns = np.resize(PATTERNS[self.kind], self.n)
            order = np.empty(self.n, dtype=np.int64)
            for g in (1, 0):
                order[turns == g] = _filled(rng, np.flatnonzero(self.groups == g), int((turns == g).sum()))
            return order
        return rng.permutation(self.n)

    def weights(self) -> np.ndarray:
        """Probability of each sample in a class-balanced draw: class frequency^-.5, summing to 1."""
        classes, counts = np.unique(self.groups, return_counts=True)
        weight = dict(zip(classes.tolist(), (counts**BALANCE_POWER).tolist(), strict=True))
        p = np.array([weight[g] for g in self.groups.tolist()])
        return p / p.sum()

    def prior_shift(self, classes: int) -> list[float]:
        """ln(pi) - ln(pi_s) per class: added to the logits, it undoes what the balanced draw did to the prior.

        A class without samples gets -8: the network never saw it, and must not be talked into it.
        """
        if self.kind != "class_balanced":
            return [0.0] * classes
        p, shift = self.weights(), []
        for c in range(classes):
            members = self.groups == c
            shift.append(float(np.log(members.mean()) - np.log(p[members].sum())) if members.any() else -8.0)
        return shift


def _filled(rng: np.random.Generator, members: np.ndarray, count: int) -> np.ndarray:
    """`count` members in random order, each as often as the others (to within one)."""
    rounds = [rng.permutation(members) for _ in range(-(-count // len(members)))]
    return np.concatenate(rounds)[:count]


def key_seed(*parts: object) -> int:
    """A 63-bit seed from any parts; the same on every machine."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
