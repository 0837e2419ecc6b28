"""A colour network reads our grey images: its first convolution for our input, without changing what it says.

On a grey image g the colour network sees (g - m_c) / s_c in channel c; ours sees u = (g - mean) / sd in its one.
With g = sd * u + mean the convolution becomes sd * sum_c w_c / s_c over u, plus the constant
sum_{c,kh,kw} w_c (mean - m_c) / s_c, which the bias takes up, or the running mean of the norm behind. The two agree
wherever the kernel does not reach over the edge, where zeros stand for different greys.
"""

from collections.abc import Sequence

from torch import Tensor

GREY_MEAN, GREY_SD = 0.449, 0.226


def own_stem(
    weight: Tensor,
    colour_mean: Sequence[float],
    colour_sd: Sequence[float],
    mean: float = GREY_MEAN,
    sd: float = GREY_SD,
    *,
    grey: bool = True,
) -> tuple[Tensor, Tensor]:
    """The weight (O, C, kh, kw) for our input, and what the convolution's output (O,) must be raised by.

    `mean` and `sd` are those of our input, (x - mean) / sd with x in [0, 1]; the others those of the file's training.
    `grey` sums the channels to one, (O, 1, kh, kw); else they stay, for a grey image that is copied into each.
    """
    by_channel = weight.new_tensor(list(colour_sd)).reshape(1, -1, 1, 1)
    distance = (mean - weight.new_tensor(list(colour_mean))).reshape(1, -1, 1, 1)
    made = sd * weight / by_channel
    return made.sum(1, keepdim=True) if grey else made, (weight * distance / by_channel).sum((1, 2, 3))
