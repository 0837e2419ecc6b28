"""What is varied where the network is, is what would have been varied on the host."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.pixels.augment import AugmentConfig, augment, drawn, placed
from ml.pixels.prepare import Prepared
from ml.training.batches import collate
from ml.training.data import SampleLoader, TrainLoader, loaded
from ml.training.parts import Foreseen, Varied, windowed
from ml.training.samples import build_samples
from ml.training.varying import Late, vary
from tests.ml.training.test_loop import CPU

TURNS = {"rotation_degrees": 15.0, "scale": 0.1, "translate_mm": 5.0, "move_probability": 1.0}
OPTIONS = [
    {},
    {"flip_x": 1.0},
    {"flip_y": 1.0},
    {"translate_mm": 9.0},
    {"rotation_degrees": 180.0, "move_probability": 1.0},
    {**TURNS, "flip_x": 0.5, "flip_y": 0.5, "gamma": 0.3, "contrast": 0.2, "brightness": 0.1},
]


def a_picture(air: bool) -> Prepared:
    """Soft structure, so that the sampling of both ways can be compared, in half an ellipse, at 0.8 mm."""
    y, x = np.mgrid[:150, :110] + 0.5
    mask = (x / 95) ** 2 + ((y - 75) / 65) ** 2 < 1
    picture = 0.5 + 0.2 * np.sin(x / 9) * np.cos(y / 13)
    picture = picture if air else np.where(mask, picture, 0)
    return Prepared(picture.astype(np.float32), mask, np.diag([0.5, 0.5, 1.0]), (), 0.8, air)


def varied_late(images, variations, frame=None, windows=None):
    """x and mask (N, *frame), as a batch of the images has them; the frame is that of the first."""
    windows = windows or [None] * len(images)
    late = [Late.of(*own) for own in zip(images, variations, windows, strict=True)]
    cut = (
        [torch.from_numpy(own.cut(getattr(image, name))) for own, image in zip(late, images, strict=True)]
        for name in ("x", "mask")
    )
    return vary(*cut, late, frame or images[0].x.shape, torch.device("cpu"))


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_images_that_are_varied_together_are_varied_as_each_alone(monkeypatch, at_once):
    config = AugmentConfig.of({**OPTIONS[-1], "noise": 0.05, "move_probability": 0.5})
    images = [a_picture(n % 2 == 0) for n in range(7)]

    def drawn_ones():
        return [drawn(image, config, seed=n) for n, image in enumerate(images)]

    alone = [varied_late([i], [v]) for i, v in zip(images, drawn_ones(), strict=True)]
    monkeypatch.setattr("ml.training.varying.PIXELS_AT_ONCE", at_once * images[0].x.size)
    x, mask = varied_late(images, drawn_ones())
    assert torch.equal(mask, torch.cat([own for _, own in alone]))
    torch.testing.assert_close(x, torch.cat([own for own, _ in alone]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("air", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_ways_give_the_same_picture(options, air, seed):
    image, config = a_picture(air), AugmentConfig.of(options)
    host = augment(image, config, seed=seed, view="CC")
    variation = drawn(image, config, seed=seed, view="CC")
    x, mask = (own[0] for own in varied_late([image], [variation]))
    there = placed(image, variation)
    np.testing.assert_array_equal(there.affine, host.affine)
    assert there.mm_per_px == host.mm_per_px
    # A mask's edge may fall to either side of a pixel's middle; elsewhere the two samplings agree.
    differing = mask.numpy() != host.mask
    assert differing.mean() < 1e-3
    np.testing.assert_allclose(x.numpy()[~differing], host.x[~differing], atol=2e-4)


def test_noise_is_of_the_size_that_was_drawn_and_the_same_again():
    image, config = a_picture(True), AugmentConfig.of({"noise": 0.05})
    seed = next(n for n in range(50) if (drawn(image, config, seed=n).tones.noise or 0) > 0.01)
    noise = drawn(image, config, seed=seed).tones.noise

    def noisy():
        variation = drawn(image, config, seed=seed)
        return varied_late([image], [variation])[0][0].numpy()

    assert np.array_equal(noisy(), noisy())
    assert (noisy() - image.x).std() == pytest.approx(noise, rel=0.05)


WINDOWS = [(20, 10, 40, 50), (-15, 60, 64, 64), (100, 0, 70, 33), (0, -8, 150, 126)]
"""In a picture of 150 x 110, and reaching beyond it on every side."""


@pytest.mark.parametrize("air", [False, True])
@pytest.mark.parametrize("options", [*OPTIONS, {**OPTIONS[-1], "noise": 0.05}])
def test_windows_of_varied_images_are_varied_as_the_whole_ones(options, air):
    config = AugmentConfig.of(options)
    image = a_picture(air)
    images = [image] * len(WINDOWS)

    def drawn_ones():
        return [drawn(image, config, seed=n) for n in range(len(images))]

    whole = varied_late(images, drawn_ones())
    x, mask = varied_late(images, drawn_ones(), (150, 126), WINDOWS)
    for n, window in enumerate(WINDOWS):
        shown = slice(window[2]), slice(window[3])
        there, inside = (windowed(own[n][None], window)[0] for own in whole)
        same = mask[n][shown] == inside
        assert same.float().mean() > 0.999
        torch.testing.assert_close(x[n][shown][same], there[same], atol=2e-4, rtol=0)
        x[n][shown], mask[n][shown] = 0, False
    assert not x.any() and not mask.any()  # nothing lies beyond a window


def test_images_of_several_sizes_are_varied_together_as_each_alone():
    config = AugmentConfig.of(OPTIONS[-1])
    images = [a_picture(False), a_picture(True)]
    images[1] = replace(images[1], x=images[1].x[:90, :70].copy(), mask=images[1].mask[:90, :70].copy())
    variations = [drawn(image, config, seed=3) for image in images]
    x, mask = varied_late(images, variations, (160, 128))
    for n, (image, variation) in enumerate(zip(images, variations, strict=True)):
        alone, inside = (own[0] for own in varied_late([image], [variation]))
        rows, cols = image.x.shape
        assert (mask[n, :rows, :cols] == inside).float().mean() > 0.999
        torch.testing.assert_close(x[n, :rows, :cols], alone, atol=2e-4, rtol=0)
        assert not x[n, rows:].any() and not x[n, :, cols:].any() and not mask[n, rows:].any()


def test_of_an_image_only_what_a_window_is_made_of_is_brought_to_the_device():
    config = AugmentConfig.of(TURNS)
    image = a_picture(False)
    for seed in range(5):
        late = Late.of(image, drawn(image, config, seed=seed), (60, 30, 16, 16))
        assert late.cut(image.x).size < 30 * 30 < image.x.size


@pytest.mark.parametrize("air", [False, True])
@pytest.mark.parametrize("options", OPTIONS)
def test_what_a_pixel_will_show_is_known_before_an_image_is_varied(options, air):
    config = AugmentConfig.of(options)
    image = a_picture(air)
    for seed in range(3):
        foreseen = Foreseen(image, drawn(image, config, seed=seed))
        seen = Varied(torch.from_numpy(augment(image, config, seed=seed).x)[None])
        assert foreseen.shape == seen.shape
        places = np.random.default_rng(seed).integers(0, image.x.shape, (200, 2))
        differing = sum(foreseen.shows(*place) != seen.shows(*place) for place in places)
        assert differing <= 2  # a mask's edge may fall to either side of a pixel's middle


class Turned:
    """Pictures with their pixels on disk, so to say; varied for real."""

    config = AugmentConfig.of({**TURNS, "gamma": 0.2})

    features = None

    def known_as(self, row, seed):
        return None

    def prepared(self, row):
        picture = a_picture(False)
        return replace(picture, x=picture.x * (0.5 + 0.04 * int(row.image_id.strip("i"))))

    def varied(self, picture, row, seed):
        return augment(picture, self.config, seed=seed, view=row.view)

    def variation(self, picture, row, seed):
        return drawn(picture, self.config, seed=seed, view=row.view)

    def mask_of(self, row, mark):
        raise AssertionError("nothing here is stored as a mask")


def test_a_batch_varied_late_is_the_batch_varied_early(settle, a_row):
    rows = [a_row(n, density="ABCD"[n % 4]) for n in range(8)]
    _, settled, aim, reads, _ = settle("dcse_resnet50", rows)
    images = Turned()
    samples, _ = build_samples(rows, reads, aim, images)
    early = SampleLoader(images, reads, aim, settled)
    late = replace(early, defers=True)
    one, other = (
        collate([loader.item(sample, 7) for sample in samples], torch.device("cpu")) for loader in (early, late)
    )
    assert late.item(samples[0], 7).undone and not early.item(samples[0], 7).undone
    assert not late.item(samples[0]).undone  # nothing to do without a seed
    torch.testing.assert_close(one.affine, other.affine)
    torch.testing.assert_close(one.mm_per_px, other.mm_per_px)
    assert (one.breast != other.breast).float().mean() < 1e-3
    same = one.breast == other.breast
    torch.testing.assert_close(one.x[same], other.x[same], atol=2e-4, rtol=0)


@pytest.mark.parametrize(("name", "config"), [("retinanet_mass", {"sections": True}), ("multiscale_patch", {})])
def test_what_is_cut_out_of_an_image_is_the_same_part_with_the_same_targets(settle, a_row, name, config):
    fields = {"box": (20, 16, 44, 40), "rows": 300, "cols": 220, "spacing_mm": (0.4, 0.4)}
    rows = [a_row(n, **fields) for n in range(8)]
    _, settled, aim, reads, stages = settle(name, rows, **config)
    reads = next(own for own in [reads, *(stage.reads for stage in stages)] if own is not None and own.view)
    early = SampleLoader(Turned(), reads, aim, settled)
    late = replace(early, defers=True)
    samples, _ = build_samples(rows, reads, aim, Turned())
    for seed in range(6):
        one, other = (
            collate([loader.item(sample, seed) for sample in samples], torch.device("cpu")) for loader in (early, late)
        )
        assert one.x.shape == other.x.shape
        same = one.breast == other.breast
        assert same.float().mean() > 0.99
        torch.testing.assert_close(one.x[same], other.x[same], atol=2e-3, rtol=0)
        for key, value in one.targets.items():
            torch.testing.assert_close(value, other.targets[key])


def test_threads_that_load_across_the_end_of_an_epoch_load_what_one_alone_does(settle, a_row, images):
    rows = [a_row(n, density="ABCD"[n % 4]) for n in range(5)]
    _, settled, aim, reads, _ = settle("dcse_resnet50", rows)
    samples, _ = build_samples(rows, reads, aim, images)
    loader = SampleLoader(images, reads, aim, settled)
    told = []
    for workers in (0, 6):
        own = TrainLoader(samples, loader, "shuffled", 3, replace(CPU, workers=workers))
        told.append([own.batch(4 * n, 4).ids for n in range(30)])
        own.close()
    assert told[0] == told[1]


def test_threads_load_samples_in_their_order(settle, a_row, images):
    rows = [a_row(n, density="ABCD"[n % 4]) for n in range(9)]
    _, settled, aim, reads, _ = settle("dcse_resnet50", rows)
    samples, _ = build_samples(rows, reads, aim, images)
    loader = SampleLoader(images, reads, aim, settled)
    alone, together = (list(loaded(samples, loader, workers)) for workers in (0, 2))
    assert [sample.id for sample, _ in together] == [sample.id for sample, _ in alone] == [item.id for _, item in alone]
    assert all(torch.equal(a.x[0], b.x[0]) for (_, a), (_, b) in zip(alone, together, strict=True))


@pytest.mark.parametrize("name", ["dcse_resnet50", "multiscale_patch"])
def test_a_batch_of_items_that_are_done_and_undone_keeps_their_order(settle, a_row, name):
    rows = [a_row(n, density="ABCD"[n], box=(20, 16, 44, 40)) for n in range(4)]
    _, settled, aim, reads, stages = settle(name, rows)
    reads = next((own.reads for own in stages if own.reads and own.reads.view), reads)
    samples, _ = build_samples(rows, reads, aim, Turned())
    late = SampleLoader(Turned(), reads, aim, settled, defers=True)
    items = [late.item(sample, None if n % 2 else 7) for n, sample in enumerate(samples)]
    assert [item.undone is None for item in items] == [False, True, False, True]
    batch = collate(items, torch.device("cpu"), pad_to=1)
    for n, item in enumerate(items):
        alone = collate([item], torch.device("cpu"), pad_to=1)
        rows_px, cols_px = alone.x.shape[-2:]
        torch.testing.assert_close(batch.x[n, ..., :rows_px, :cols_px], alone.x[0], atol=1e-6, rtol=0)
        assert int(batch.valid[n].sum()) == rows_px * cols_px
        assert int(batch.breast[n].sum()) == int(alone.breast.sum())
