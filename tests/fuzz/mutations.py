"""Whole files made into broken ones."""

import random
from collections.abc import Sequence

NUMBERS = (b"\0\0\0\0", b"\0\0\0\1", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0")


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """Bits, bytes, lengths, repeats, parts of others and cuts, most of them in the first few
    kilobytes, where headers and metadata are."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8, 32))):
        at = rng.randrange(max(1, min(len(result), rng.choice((64, 512, 4096, 16_384, 10**9)))))
        match rng.randrange(7):
            case 0:
                result[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                result[at : at + 4] = rng.choice(NUMBERS)
            case 2:
                result[at : at + 2] = rng.choice(NUMBERS)[:2]
            case 3:
                result[at:at] = result[at : at + rng.randrange(200)] * rng.choice((1, 1, 20))
            case 4:
                del result[at : at + rng.randrange(64)]
            case 5:
                other = rng.choice(others)
                start = rng.randrange(len(other))
                result[at:at] = other[start : start + rng.randrange(500)]
            case 6 if rng.random() < 0.2:
                del result[at:]
    return bytes(result)


def polyglot(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Two files in one: behind each other, one inside of the other, or with the other's head."""
    match rng.randrange(3):
        case 0:
            return data + other
        case 1:
            at = rng.randrange(len(data))
            return data[:at] + other + data[at:]
    at = rng.choice((2, 4, 8, 12, 16, 32, 64))
    return other[:at] + data[at:]
