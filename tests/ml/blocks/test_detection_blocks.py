"""Anchors, box coding, suppression, sections: closed forms."""

import torch

from ml.blocks.anchors import IGNORED, NEGATIVE, level_anchors, match, pyramid_anchors
from ml.blocks.boxes import decode, encode, iou, nms
from ml.blocks.sections import inner_edge, resize, section_windows, window_scale

NONE = torch.zeros(0, 4)


def test_a_level_has_nine_anchors_a_cell_at_the_closed_form_places():
    anchors = level_anchors(3, 5, 8, 32.0)
    assert anchors.shape == (3 * 5 * 9, 4)
    side = 32 / 0.5**0.5
    torch.testing.assert_close(anchors[0], torch.tensor([4 - side / 2, 4 - side / 4, 4 + side / 2, 4 + side / 4]))
    torch.testing.assert_close(anchors[3], torch.tensor([-12.0, -12.0, 20.0, 20.0]))
    torch.testing.assert_close((anchors[9 * 6 + 3, :2] + anchors[9 * 6 + 3, 2:]) / 2, torch.tensor([12.0, 12.0]))


def test_the_pyramid_has_all_levels_in_order():
    shapes = [(8, 6), (4, 3), (2, 2), (1, 1), (1, 1)]
    anchors = pyramid_anchors(shapes, (32, 64, 128, 256, 512))
    assert len(anchors) == 9 * sum(r * c for r, c in shapes)


def test_coding_has_the_computed_values_and_inverts():
    anchors = torch.tensor([[10.0, 10, 42, 42]])
    boxes = torch.tensor([[14.0, 8, 54, 48]])
    torch.testing.assert_close(encode(boxes, anchors), torch.tensor([[0.25, 0.0625, 0.223144, 0.223144]]))
    many = torch.rand(100, 4) * 50
    many[:, 2:] += many[:, :2] + 1
    around = torch.rand(100, 4) * 50
    around[:, 2:] += around[:, :2] + 1
    assert (decode(encode(many, around), around) - many).abs().max() < 1e-4


def test_suppression_keeps_the_computed_boxes():
    boxes = torch.tensor([[10.0, 10, 30, 30], [12, 12, 32, 32], [50, 50, 90, 90], [60, 60, 100, 100], [55, 55, 85, 85]])
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.95])
    assert nms(boxes, scores, 0.5).tolist() == [4, 0, 3]
    assert nms(boxes, scores, 0.5, limit=2).tolist() == [4, 0]
    assert nms(NONE, torch.zeros(0), 0.5).tolist() == []


def test_equal_scores_keep_the_lower_index():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    assert nms(boxes, torch.tensor([0.5, 0.5]), 0.5).tolist() == [0]


def test_matching_has_positives_a_band_that_is_ignored_and_negatives():
    anchors = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 22], [50, 50, 60, 60], [90, 90, 100, 100]])
    inside = torch.tensor([True, True, True, False])
    matched = match(anchors, torch.tensor([[0.0, 0, 10, 10]]), inside=inside, ignore=NONE)
    assert matched.tolist() == [0, IGNORED, NEGATIVE, IGNORED]


def test_a_mark_that_no_anchor_reaches_claims_its_best():
    anchors = torch.tensor([[0.0, 0, 30, 30], [100, 100, 130, 130]])
    matched = match(anchors, torch.tensor([[10.0, 10, 14, 14]]), inside=torch.ones(2, dtype=bool), ignore=NONE)
    assert matched.tolist() == [0, NEGATIVE]


def test_anchors_on_a_mark_to_ignore_teach_nothing():
    anchors = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60]])
    inside = torch.ones(2, dtype=bool)
    matched = match(anchors, NONE, inside=inside, ignore=torch.tensor([[0.0, 0, 10, 10]]))
    assert matched.tolist() == [IGNORED, NEGATIVE]


def test_there_are_the_whole_image_and_25_overlapping_sections_that_cover_it():
    windows = section_windows(600, 360)
    assert len(windows) == 26
    assert windows[0] == (0, 0, 360, 600)
    assert windows[1] == (0, 0, 120, 200)
    assert windows[2] == (60, 0, 180, 200)
    assert windows[-1] == (240, 400, 360, 600)


def test_a_window_is_scaled_by_its_short_side_unless_the_long_one_is_too_long():
    assert window_scale((0, 0, 400, 500), 800, 1333) == 2.0
    assert window_scale((0, 0, 100, 1333), 800, 1333) == 1.0


def test_resizing_keeps_corner_coordinates():
    x = torch.zeros(1, 40, 40)
    x[0, 10:20, 4:14] = 1.0
    y = resize(x, 2.0)[0]
    rows, cols = torch.where(y > 0.5)
    assert (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1) == (8, 20, 28, 40)


def test_only_inner_edges_of_a_section_count():
    boxes = torch.tensor([[0.0, 5, 10, 15], [110, 5, 120, 15], [50, 50, 60, 60]])
    assert inner_edge(boxes, (0, 0, 120, 200), 600, 360).tolist() == [False, True, False]
    assert iou(boxes, boxes).diagonal().tolist() == [1.0, 1.0, 1.0]
