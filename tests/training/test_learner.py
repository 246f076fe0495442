import pytest
import torch

from tellsign_training.learner import _not_overlapping


def test_overlap_counts_where_a_picture_is_fake_in_part() -> None:
    masks = torch.zeros(4, 8, 8)
    masks[:2, :, :4] = 1
    masks[3] = 1  # fake throughout; the one before it is real
    logits = torch.full((4, 8, 8), -20.0)
    logits[0, :, :4] = 20  # all that is fake
    logits[1, :, 4:] = 20  # all that is not
    found = _not_overlapping(logits, masks).item()
    assert found == pytest.approx((0 + (1 - 1 / 65)) / 4, abs=1e-4)
