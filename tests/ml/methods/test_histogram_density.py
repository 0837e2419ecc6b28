"""What makes `histogram_density` itself: grey values counted, places forgotten. Source: methods.md 3.19."""

from dataclasses import replace

import pytest
import torch

from ml.methods.histogram_density import forward, histograms


@pytest.mark.parametrize("size", ["tiny", "large"])
def test_every_size_has_the_published_parameters(size, a_stage):
    with torch.device("meta"):
        assert sum(p.numel() for p in a_stage("histogram_density", size)[2].build().parameters()) == 20_504


def test_counts_are_shares_of_what_is_counted():
    x = torch.tensor([[0.0, 0.3, 0.3, 0.99, 1.0, 0.6]])
    inside = torch.tensor([[False, True, True, True, True, False]])
    assert histograms(x, inside, 4, own_range=False).tolist() == [[0, 0.5, 0, 0.5]]
    assert histograms(x, torch.zeros_like(inside), 4, own_range=False).sum() == 0


def test_published_bins_follow_each_image_and_forget_its_scale():
    x = torch.rand(2, 100)
    all_of_it = torch.ones_like(x, dtype=torch.bool)
    standardised = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
    torch.testing.assert_close(
        histograms(x, all_of_it, 50, own_range=True), histograms(standardised, all_of_it, 50, own_range=True)
    )


@pytest.mark.parametrize("mask", [True, False])
def test_moving_the_pixels_of_a_view_changes_nothing_and_changing_them_does(mask, a_setup):
    setup = a_setup("histogram_density", mask=mask)
    torch.manual_seed(0)
    modules, batch = {"main": setup.stage("main").build()}, setup.batch(n=2)
    before = forward(modules, batch)["logits"]
    order = torch.randperm(batch.x[0, 0].numel())

    def moved(values):
        return values.flatten(2)[..., order].reshape(values.shape)

    same = replace(batch, x=moved(batch.x), breast=moved(batch.breast), valid=moved(batch.valid))
    torch.testing.assert_close(forward(modules, same)["logits"], before)
    for view in range(4):
        x = batch.x.clone()
        x[:, view] = x[:, view] ** 2
        assert (forward(modules, replace(batch, x=x))["logits"] - before).abs().max() > 1e-4


def test_padding_of_a_batch_is_not_counted(a_setup):
    setup = a_setup("histogram_density", mask=False)
    modules, batch = {"main": setup.stage("main").build()}, setup.batch(n=1)
    wider = {
        name: torch.nn.functional.pad(getattr(batch, name).float(), (0, 32, 0, 32)).to(getattr(batch, name))
        for name in ("x", "breast", "valid")
    }
    torch.testing.assert_close(forward(modules, replace(batch, **wider))["logits"], forward(modules, batch)["logits"])
