import numpy as np
import pytest
from PIL import Image

from tellsign_training.delivery import SITES, on_page, random_delivery, with_history
from tests.conftest import scene


@pytest.mark.parametrize("dark", [False, True])
def test_a_page_shows_the_picture_as_it_is(dark: bool) -> None:
    image = scene(300, 200)
    page = on_page(image, 40, dark)
    assert page.crop((40, 80, 340, 280)).tobytes() == image.tobytes()
    edge = np.asarray(page)[60:, :20].mean()
    assert (edge < 60) == dark


def test_only_what_was_stored_lossless_gets_a_history_and_no_draw_is_wasted() -> None:
    image = scene()
    rng = np.random.default_rng(0)
    assert with_history(image, False, rng) is image
    assert rng.random() == np.random.default_rng(0).random()
    changed = [with_history(image, True, np.random.default_rng(i)) is not image for i in range(200)]
    assert 0.8 < np.mean(changed) < 0.98


def test_a_delivery_begins_with_the_history() -> None:
    image = scene(500, 300)
    for seed in range(5):
        one, two = (np.random.default_rng(seed) for _ in range(2))
        stored = with_history(image, True, one)
        assert (
            random_delivery(stored, False, one).tobytes()
            == random_delivery(image, True, two).tobytes()
        )


def test_large_pictures_are_delivered_at_the_sizes_of_sites() -> None:
    """And small ones as they are: so generated ones of 768 pixels are not alone at that size."""
    image, rng = Image.new("RGB", (1600, 40), "grey"), np.random.default_rng(0)
    small = image.resize((200, 5))
    sides = [max(random_delivery(image, False, rng).size) for _ in range(200)]
    assert sum(side in SITES for side in sides) > 40
    assert max(sides) == 1280
    assert {max(random_delivery(small, False, rng).size) for _ in range(20)} >= {200}
