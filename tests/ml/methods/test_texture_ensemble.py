"""What makes `texture_ensemble` itself: two branches and one weight. Figures: methods-17.md 3.16."""

import numpy as np
import pytest
import torch

from ml.blocks.estimators.pca import PCA
from ml.methods.spec import Inference
from ml.methods.texture_ensemble import Config, Fusion, TextureModel, best_weight, enhanced, textures
from ml.pixels.texture import VECTOR_NAMES, texture_vector


@pytest.mark.parametrize(("size", "count"), [("large", 360_162), ("base", 360_162), ("tiny", 31_794)])
def test_a_size_has_its_parameters(size, count, a_setup):
    with torch.device("meta"):
        modules = a_setup("texture_ensemble", size).modules()
        assert [sum(p.numel() for p in m.parameters()) for m in modules.values()] == [count, 0, 0]


def test_the_cnn_has_four_convolutions_three_pools_and_two_layers(a_setup):
    network = a_setup("texture_ensemble").modules()["cnn"]
    kinds = [type(module).__name__ for module in network.modules()]
    assert [kinds.count(kind) for kind in ("Conv2d", "MaxPool2d", "Linear")] == [4, 3, 2]
    assert network.trunk(torch.rand(2, 1, 32, 32)).shape == (2, 32, 4, 4)


def test_what_the_cnn_sees_is_equalised_and_loses_specks():
    x = 0.4 + 0.1 * torch.linspace(0, 1, 64).expand(1, 1, 1, 64, 64).clone()
    speck = x.clone()
    speck[..., 30, 30] = 1.0
    plain, cleaned = enhanced(x, 64), enhanced(speck, 64)
    assert plain.shape == (1, 1, 64, 64) and plain.min() >= 0 and plain.max() <= 1
    assert plain.max() - plain.min() > 0.2
    assert (plain - cleaned).abs().max() < 0.02


def test_texture_is_that_of_the_region_at_a_fifth_of_a_millimetre(a_setup):
    batch = a_setup("texture_ensemble").batch(n=2)
    found = textures(batch)
    assert found.shape == (2, len(VECTOR_NAMES)) and torch.isfinite(found).all()
    side = min(round(64 * float(batch.mm_per_px[0, 0]) / 0.2), 256)
    pixels = torch.nn.functional.interpolate(batch.x[0], size=[side] * 2, mode="bilinear", antialias=True)
    inside = torch.nn.functional.interpolate(batch.breast[0].float(), size=[side] * 2)[0, 0].numpy() > 0.5
    wanted = texture_vector(pixels[0, 0].double().numpy().clip(0, 1), inside)
    np.testing.assert_allclose(found[0].numpy(), wanted)


def blobs(n, rng):
    """Images (n, 24, 24) of smooth texture, and the same pixels shuffled: equal histograms."""
    smooth = torch.from_numpy(rng.random((n, 1, 24, 24)))
    smooth = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(smooth, (2,) * 4, mode="circular"), 5, 1)[:, 0]
    smooth = ((smooth - smooth.amin((1, 2), True)) / (smooth.amax((1, 2), True) - smooth.amin((1, 2), True))).numpy()
    return smooth, np.stack([rng.permutation(own.reshape(-1)).reshape(24, 24) for own in smooth])


def test_the_texture_branch_tells_equal_histograms_apart():
    rng = np.random.default_rng(0)
    smooth, shuffled = blobs(24, rng)
    x = torch.from_numpy(np.stack([texture_vector(own) for own in (*smooth, *shuffled)]))
    y = np.repeat([0, 1], 24)
    learned = np.tile(np.arange(24) < 14, 2)
    own = TextureModel(Config())
    own.standard.fit(x[learned].numpy())
    own.pca.fit(own.standard(x[learned]).numpy())
    own.svm.fit(own.components(x[learned]).numpy(), y[learned], seed=0)
    assert isinstance(own.pca, PCA) and own.components(x).shape[1] < 96
    assert (own(x[~learned]).argmax(1).numpy() == y[~learned]).all()
    histograms = [np.histogram(own, 32, (0, 1))[0] for own in (*smooth, *shuffled)]
    assert all((histograms[n] == histograms[24 + n]).all() for n in range(24))  # a histogram stub has nothing to see


def test_the_weight_is_the_best_of_the_grid_and_the_fusion_no_worse_than_a_branch():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(2, (200,), generator=generator)
    sign = 2.0 * truth - 1
    z = sign[:, None] + 2 * torch.randn(200, 2, generator=generator)
    cnn, texture = (torch.stack([1 - p, p], 1).double() for p in z.sigmoid().T)

    def loss(p):
        return float(-torch.log(p[torch.arange(200), truth]).mean())

    w = best_weight(cnn, texture, truth)
    assert 0 < w < 1 and w / 0.05 == pytest.approx(round(w / 0.05))
    fusion = Fusion()
    fusion.weight.fill_(w)
    torch.testing.assert_close(fusion(cnn, texture), w * cnn + (1 - w) * texture)
    assert loss(fusion(cnn, texture)) < min(loss(cnn), loss(texture))
    perfect = torch.nn.functional.one_hot(truth, 2).double()
    # Neither branch is silenced, not even by a perfect one.
    assert best_weight(perfect, texture, truth) == pytest.approx(0.95)
    assert best_weight(cnn, perfect, truth) == pytest.approx(0.05)


def test_the_answer_is_the_stored_formula(a_setup):
    setup = a_setup("texture_ensemble")
    torch.manual_seed(0)
    modules, batch = setup.modules(), setup.batch(n=2)
    for module in modules.values():
        module.eval()
    measured = torch.cat([textures(batch), textures(setup.batch(n=4, seed=1))])
    own = modules["texture"]
    own.standard.fit(measured.numpy())
    own.pca.fit(own.standard(measured).numpy())
    own.svm.fit(own.components(measured).numpy(), [0, 1, 0, 1, 0, 1], seed=0)
    modules["fuse"].weight.fill_(0.35)
    with torch.no_grad():
        said = setup.method.predict(modules, batch, setup.config, Inference(aim=setup.aim))
        p = modules["cnn"](enhanced(batch.x, 32))["logits"].double().softmax(1)
    wanted = 0.35 * p + 0.65 * own(measured[:2])
    torch.testing.assert_close(torch.stack([one.probabilities for one in said]), wanted.float())
    apart = [one.values["branch_disagreement"] for one in said]
    assert apart == pytest.approx((p - own(measured[:2]))[:, 1].abs().tolist(), abs=1e-5)
