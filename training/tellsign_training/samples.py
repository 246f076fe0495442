"""Makes the demo's sample pictures out of public-domain photographs that Python packages ship.

    python -m tellsign_training.samples FOLDER [OUT]

Half of them stay photographs; the others are shrunk, and a generative network draws all of the
picture anew from that. One declares it, as generators should, in IPTC's Digital Source Type. Needs
scikit-image and matplotlib for the photographs, and a folder of the ncnn networks of Real-ESRGAN.
"""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import skimage
from PIL import Image

import tellsign
from tellsign.views import resize
from tellsign_training.fakes import upscaler

QUALITY = 88
PLUS, ANIME = "realesrgan-x4plus", "realesrgan-x4plus-anime"
DECLARATION = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>
</rdf:RDF></x:xmpmeta>"""


@dataclass(frozen=True)
class Photograph:
    """A public-domain photograph of a package and what the demo does with it.

    `drawn_by` is the network that draws it anew, from one that is smaller by `shrink`.
    """

    file: str
    caption: str
    origin: str
    drawn_by: str = ""
    declares: bool = False
    width: int = 640
    shrink: int = 8


PHOTOGRAPHS = (
    Photograph("astronaut.png", "Portrait day", "NASA, public domain"),
    Photograph("chelsea.png", "Look who is here", "S. van der Walt, CC0", PLUS),
    Photograph("coffee.png", "First cup", "R. Michetti, no restrictions", PLUS, declares=True),
    Photograph("rocket.jpg", "Lift-off", "SpaceX, CC0", ANIME, width=400, shrink=4),
    Photograph("grace_hopper.jpg", "A pioneer", "US Navy, public domain"),
    Photograph("hubble_deep_field.jpg", "Far away", "NASA, public domain"),
)  # fmt: skip


def make(networks: Path, out: Path) -> list[dict[str, str]]:
    """Write the pictures and samples.json, which says what each of them is; returns its content."""
    out.mkdir(parents=True, exist_ok=True)
    entries = []
    for photograph in PHOTOGRAPHS:
        image = Image.open(_find(photograph.file)).convert("RGB")
        height = round(image.height * photograph.width / image.width)
        image = resize(image, photograph.width, height)
        kind, truth = "real", f"a photograph ({photograph.origin})"
        if photograph.drawn_by:
            param = networks / f"{photograph.drawn_by}.param"
            redraw = upscaler(param, os.cpu_count() or 1, photograph.shrink)
            image = Image.fromarray(redraw(np.asarray(image)[None])[0])
            kind = "ai"
            truth = f"redrawn by Real-ESRGAN from a tiny photograph ({photograph.origin})"
        name = f"{kind}-{Path(photograph.file).stem.replace('_', '-')}.jpg"
        xmp = DECLARATION if photograph.declares else b""
        image.save(out / name, quality=QUALITY, xmp=xmp)
        entries.append({"file": name, "caption": photograph.caption, "truth": truth})
    (out / "samples.json").write_text(json.dumps(entries, indent=2) + "\n", "utf-8")
    return entries


def _find(name: str) -> Path:
    for folder in (
        Path(skimage.__file__).parent / "data",
        Path(mpl.get_data_path(), "sample_data"),
    ):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"No installed package ships {name}.")


if __name__ == "__main__":
    target = Path(tellsign.__file__).parent / "demo" / "samples"
    for entry in make(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else target):
        print(entry["file"], "-", entry["truth"])
