import io

import numpy as np
import pytest
import torch
from PIL import Image

from tellsign.detector import Detector
from tellsign.models import architectures, folder
from tellsign.picture import decode
from tellsign.settings import DEFAULT_MODEL
from tellsign.views import views
from tests.conftest import saved, scene

PICTURES = [
    saved(scene(320, 240, 1), "JPEG"), saved(scene(1200, 900, 2), "PNG"),
    saved(scene(100, 700, 3), "WEBP"),
]  # fmt: skip


def test_a_batch_scores_as_its_pictures_do_alone(detector: Detector) -> None:
    cut = [views(decode(data).image, detector.plan) for data in PICTURES]
    together = detector.score(cut)
    alone = [detector.score([v])[0] for v in cut]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert len(set(together)) == len(PICTURES)
    assert detector.score([]) == []


def test_check_gives_the_whole_verdict(detector: Detector) -> None:
    result = detector.check(PICTURES[1])
    assert result["verdict"] in ("suspected", "unsure", "none")
    assert result["picture"]["width"] == 1200
    assert result["model"] == {"id": detector.info.id, "digest": detector.info.digest}
    steps = {"decode", "provenance", "views", "queue", "network", "total"}
    assert set(result["timings"]) == steps
    p, thresholds = result["probability"], result["thresholds"]
    expected = (
        "suspected" if p >= thresholds["suspected"]
        else "unsure" if p >= thresholds["unsure"] else "none"
    )  # fmt: skip
    assert result["verdict"] == expected


@pytest.mark.parametrize("size", [(320, 240), (1200, 900), (100, 700), (33, 4000)])
def test_heatmap_spans_the_picture(detector: Detector, size: tuple[int, int]) -> None:
    picture = decode(saved(scene(*size), "PNG"))
    heatmap = detector.explain(picture.image)
    rows, columns = heatmap.resolution
    assert heatmap.values.shape == (rows, columns)
    assert heatmap.values.dtype == np.float32
    assert 0 <= heatmap.values.min() <= heatmap.values.max() <= 1
    if max(size) < 8 * min(size):
        assert columns / rows == pytest.approx(size[0] / size[1], rel=0.15)
    assert heatmap.over(picture.pixels).size == size
    assert heatmap.where()


def test_methods_that_do_not_suit_the_model(detector: Detector) -> None:
    for method in ("guess", "pixels"):
        with pytest.raises(KeyError, match=method):
            detector.explain(decode(PICTURES[0]).image, method)


def test_explaining_changes_no_score(detector: Detector) -> None:
    before = detector.check(PICTURES[0])["logit"]
    detector.explain(decode(PICTURES[0]).image)
    assert detector.check(PICTURES[0])["logit"] == before


@pytest.mark.parametrize("kind", [architectures.LevitDetector, architectures.LevitStatistics])
def test_fusing_batch_norms_changes_nothing(kind: type[torch.nn.Module]) -> None:
    torch.manual_seed(0)
    network = kind()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d) and module.affine:
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    x = torch.randn(8, 3, 224, 224) + torch.randn(8, 3, 1, 1)
    for _ in range(20):  # in training mode, so that the batch norms hold real statistics
        network(x)
    network.eval()
    with torch.no_grad():
        before = network(x)
        network.fuse()
        torch.testing.assert_close(network(x), before, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    assert before.std() > 1e-3


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(ValueError, match="xpu:9"):
        Detector.load(folder(DEFAULT_MODEL), "xpu:9")


def test_recompressing_lightly_moves_the_logit_little(detector: Detector) -> None:
    image = Image.open(io.BytesIO(PICTURES[1])).convert("RGB")
    a = detector.check(saved(image, "JPEG", quality=97))["logit"]
    b = detector.check(saved(image, "JPEG", quality=95))["logit"]
    assert abs(a - b) < 2
