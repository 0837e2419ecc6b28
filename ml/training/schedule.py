"""Learning rate and EMA decay as functions of the step: nothing to store, nothing to lose on a resume."""

import math

from ml.methods.spec import Optimiser


def factor(optimiser: Optimiser, step: int, steps: int) -> float:
    """What the learning rate is multiplied with at `step` (from 0) of `steps`."""
    if optimiser.schedule == "constant":
        return 1.0
    if optimiser.schedule == "step":
        return optimiser.step_factor ** sum(step >= max(1.0, share * steps) for share in optimiser.steps_at)
    return cosine(step, round(optimiser.warmup_share * steps), steps)


def cosine(step: int, warmup: int, steps: int) -> float:
    """Linear warm-up (s+1)/w, then half a cosine to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def ema_decay(step: int) -> float:
    """min(.999, (1+s)/(10+s)): young averages forget fast."""
    return min(0.999, (1 + step) / (10 + step))
