"""Small files with metadata, put together structure by structure."""

import io
import json
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI = SOURCE + "trainedAlgorithmicMedia"
COMPOSITE = SOURCE + "compositeWithTrainedAlgorithmicMedia"
CAPTURE = SOURCE + "digitalCapture"
INFOTEXT = (
    "a fox, oil\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, "
    'Seed: 18446744073709551615, Size: 512x768, Model: fox_v1, Lora hashes: "a: 1, b: 2", '
    "Version: v1.9.4"
)
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF")


def image(side: int = 64, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return Image.fromarray(pixels)


def plain(format: str = "JPEG", seed: int = 0, side: int = 64, **options: Any) -> bytes:
    file = io.BytesIO()
    image(side, seed).save(file, format, **options)
    return file.getvalue()


def xmp(body: str = "", **attributes: str) -> bytes:
    """A packet whose description has attributes, written prefix_name, and elements."""
    written = " ".join(f'{k.replace("_", ":")}="{v}"' for k, v in attributes.items())
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        'rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        f"{written}>{body}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    ).encode()


def exif(entries: dict[int, Any], inner: dict[int, Any] | None = None) -> bytes:
    """A TIFF structure of the first directory's tags and those of the EXIF directory."""
    tags = Image.Exif()
    tags.update(entries)
    for tag, value in (inner or {}).items():
        fraction = isinstance(value, float)
        tags.get_ifd(0x8769)[tag] = IFDRational(value) if fraction else value
    return tags.tobytes().removeprefix(b"Exif\0\0")


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Segments behind the JFIF header, where c2pa puts its own."""
    return jpeg[:20] + b"".join(segments) + jpeg[20:]


def with_xmp(jpeg: bytes, packet: bytes) -> bytes:
    return with_segments(jpeg, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))


def with_exif(jpeg: bytes, tags: bytes) -> bytes:
    return with_segments(jpeg, segment(0xE1, b"Exif\0\0" + tags))


def iim(*records: tuple[int, int, bytes]) -> bytes:
    return b"".join(struct.pack(">BBBH", 28, r, n, len(v)) + v for r, n, v in records)


def photoshop(records: bytes) -> bytes:
    padded = records + b"\0" * (len(records) % 2)
    resource = b"8BIM" + struct.pack(">H", 0x0404) + b"\0\0" + struct.pack(">I", len(records))
    return segment(0xED, b"Photoshop 3.0\0" + resource + padded)


def with_box(jpeg: bytes, box: bytes, size: int = 60_000) -> bytes:
    """A JUMBF box in as many APP11 segments as it takes."""
    parts = [box[8:][at : at + size] for at in range(0, max(1, len(box) - 8), size)]
    return with_segments(
        jpeg,
        *(
            segment(0xEB, b"JP" + struct.pack(">HI", 1, number) + box[:8] + part)
            for number, part in enumerate(parts, 1)
        ),
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """Chunks behind a PNG's header chunk."""
    return png[:33] + b"".join(chunks) + png[33:]


def text(keyword: str, value: str) -> bytes:
    return chunk(b"tEXt", keyword.encode() + b"\0" + value.encode())


def with_texts(**texts: str) -> bytes:
    """A PNG with a text chunk for each keyword."""
    chunks = [text(key, value) for key, value in texts.items()]
    return with_chunks(plain("PNG"), *chunks)


def comfyui(**inputs: Any) -> str:
    """A ComfyUI prompt of seven nodes."""
    return json.dumps(
        {
            "3": {
                "class_type": "KSampler",
                "inputs": {
                    "seed": 2**63, "steps": 20, "cfg": 8.0, "sampler_name": "euler",
                    "scheduler": "normal", "model": ["4", 0], "positive": ["10", 0],
                    "negative": ["7", 0], "latent_image": ["5", 0], **inputs,
                },
            },
            "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "fox.ckpt"}},
            "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["9", 0], "clip": ["4", 1]}},
            "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "bad", "clip": ["4", 1]}},
            "9": {"class_type": "PrimitiveString", "inputs": {"value": "a fox"}},
            "10": {"class_type": "FluxGuidance", "inputs": {"conditioning": ["6", 0]}},
        }
    )  # fmt: skip


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def superbox(label: bytes, *children: bytes, uuid: bytes = b"c2ma") -> bytes:
    """A JUMBF superbox with a description."""
    suffix = bytes.fromhex("00110010800000aa00389b71")
    return box(b"jumb", box(b"jumd", uuid + suffix + b"\3" + label + b"\0") + b"".join(children))


def store(*manifests: bytes) -> bytes:
    return superbox(b"c2pa", *manifests, uuid=b"c2pa")
