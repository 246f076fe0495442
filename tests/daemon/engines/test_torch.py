"""Too little memory is survived."""

import numpy as np
import pytest
import torch
from torch import nn

from tellsign.engines.torch import BATCH, TorchEngine

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


class Greedy(nn.Module):
    """Means of views; out of memory above a number of them on a device."""

    def __init__(self, **most: int) -> None:
        super().__init__()
        self.most = most
        self.calls: list[tuple[str, int]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.append((x.device.type, len(x)))
        if len(x) > self.most.get(x.device.type, BATCH):
            raise torch.OutOfMemoryError("out of memory")
        return x.mean((1, 2, 3))


def test_the_batch_is_halved_until_it_fits(caplog: pytest.LogCaptureFixture) -> None:
    network = Greedy(cpu=9)
    engine = TorchEngine(network, MEAN, STD, "cpu")
    views = np.random.default_rng(0).integers(0, 256, (70, 8, 8, 3), np.uint8)
    wanted = TorchEngine(Greedy(), MEAN, STD, "cpu").logits(views)
    np.testing.assert_array_equal(engine.logits(views), wanted)
    assert [count for _, count in network.calls] == [64, 32, 16, *[8] * 8, 6]
    assert (engine.status.batch, engine.status.device) == (8, "cpu")
    assert "the batch is 8 now" in engine.status.notice
    assert len(caplog.records) == 3
    engine.logits(views[:20])
    assert len(caplog.records) == 3


def test_a_device_without_room_for_one_view_gives_way_to_the_cpu(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """torch's device `meta`, which needs no hardware, stands in for a GPU."""
    network = Greedy(meta=0)
    engine = TorchEngine(network, MEAN, STD, "meta")
    views = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    wanted = TorchEngine(Greedy(), MEAN, STD, "cpu").logits(views)
    np.testing.assert_array_equal(engine.logits(views), wanted)
    assert network.calls == [("meta", 3), ("meta", 1), ("cpu", 3)]
    assert (engine.status.device, engine.status.batch) == ("cpu", BATCH)
    assert "the CPU is used instead" in engine.status.notice
    assert [record.getMessage() for record in caplog.records][-1] == engine.status.notice
    network.most["cpu"] = 0
    with pytest.raises(torch.OutOfMemoryError):
        engine.logits(views)
