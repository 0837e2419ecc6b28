"""What a network repeats."""

from torch import nn


class Block(nn.Module):
    """A part that a network repeats: maps in, maps out, the input left as it was.

    What it computes on the way may therefore be forgotten and computed again when gradients come back
    (`ml.training.recomputing`), which is why blocks are told apart from layers.
    """
