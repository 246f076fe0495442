"""The cache of graphs: whole, or not there."""

import pytest

from tellsign.engines.cpu import CpuEngine
from tellsign.engines.graphs import Graphs
from tellsign.models import ModelFolder


def damage(graphs: Graphs, name: str) -> None:
    data = bytearray((graphs.path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (graphs.path / name).write_bytes(data)


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "entry.json"])
def test_a_damaged_graph_is_thrown_away(graphs: Graphs, name: str, model: ModelFolder) -> None:
    damage(graphs, name) if name != "entry.json" else (graphs.path / name).write_text("{")
    engine = CpuEngine(model)
    assert engine.status.engine == "torch"
    assert not graphs.path.exists()


def test_a_cut_off_write_leaves_nothing(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch, model: ModelFolder
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    graphs.discard()
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(OSError, match="no space"):
            graphs.refuse("for this test")
    assert list(graphs.path.parent.iterdir()) == []


def test_a_new_version_replaces_the_old_graph(
    graphs: Graphs, monkeypatch: pytest.MonkeyPatch, model: ModelFolder
) -> None:
    monkeypatch.setattr("tellsign.engines.graphs.__version__", "99")
    newer = Graphs(model)
    assert newer.get() is None
    newer.refuse("for this test")
    assert [path.name for path in newer.path.parent.iterdir()] == [newer.path.name]
