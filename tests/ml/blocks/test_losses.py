"""Soft Dice and Grad-CAM by hand values."""

import pytest
import torch

from ml.blocks.grad_cam import grad_cam
from ml.blocks.losses import segmentation_loss, soft_dice

P, G = torch.tensor([[0.9, 0.8, 0.1, 0.3]]), torch.tensor([[1.0, 1, 0, 0]])


def test_soft_dice_has_the_computed_value():
    assert soft_dice(P, G, smooth=0.0).item() == pytest.approx(0.829268, abs=1e-6)
    assert soft_dice(G, G).item() == 1.0
    assert soft_dice(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 1.0
    valid = torch.tensor([[True, True, True, False]])
    assert soft_dice(P, G, valid, smooth=0.0).item() == pytest.approx(3.4 / 3.8)


def test_an_image_without_a_mark_has_cross_entropy_alone():
    logits = torch.randn(2, 1, 4, 4, requires_grad=True)
    g = torch.zeros(2, 1, 4, 4)
    g[0, 0, :2] = 1.0
    parts = segmentation_loss(logits, g)
    torch.testing.assert_close(parts["dice"], 1 - soft_dice(torch.sigmoid(logits[:1]), g[:1])[0])
    parts["dice"].backward()
    assert logits.grad[0].abs().sum() > 0
    assert logits.grad[1].abs().sum() == 0
    assert segmentation_loss(logits.detach(), torch.zeros_like(g))["dice"] == 0


def test_padding_has_no_part_in_the_segmentation_loss():
    logits, g = torch.randn(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    g[..., :2, :] = 1.0
    valid = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    valid[..., 3] = False
    other = logits.clone()
    other[..., 3] = 50.0
    a, b = segmentation_loss(logits, g, valid), segmentation_loss(other, g, valid)
    torch.testing.assert_close(a["cross_entropy"], b["cross_entropy"])
    torch.testing.assert_close(a["dice"], b["dice"])


def test_grad_cam_shows_the_channel_that_speaks_for_the_score():
    maps = torch.zeros(2, 2, 3, 3, requires_grad=True)
    with torch.no_grad():
        maps[0, 0, 1, 2] = 4.0
        maps[0, 1, 0, 0] = 9.0
        maps[1, 1, 0, 0] = 9.0
    score = 3 * maps[:, 0].mean((1, 2)) - maps[:, 1].mean((1, 2))
    cam, highest = grad_cam(score, maps)
    assert cam[0, 1, 2] == 1.0
    assert cam[0].sum() == 1.0
    assert highest.tolist() == pytest.approx([3 / 9 * 4, 0.0])
    assert cam[1].sum() == 0.0
