"""EXIF (CIPA DC-008 / Exif 2.32): the tags that tell of cameras, programs and prompts."""

from dataclasses import dataclass, field

from tellsign.provenance.containers.tiff import Directory, directory

DESCRIPTION, MAKE, MODEL, SOFTWARE, ARTIST = 0x010E, 0x010F, 0x0110, 0x0131, 0x013B
EXIF_DIRECTORY, XP_COMMENT, XP_TITLE = 0x8769, 0x9C9C, 0x9C9B
EXPOSURE, F_NUMBER, ISO, TAKEN, FOCAL_LENGTH = 0x829A, 0x829D, 0x8827, 0x9003, 0x920A
USER_COMMENT, MAKER_NOTE, LENS = 0x9286, 0x927C, 0xA434


@dataclass(frozen=True)
class Exif:
    """Two directories in one; texts and numbers by tag."""

    entries: Directory = field(default_factory=dict)

    def text(self, tag: int) -> str:
        return self.entries[tag].text if tag in self.entries else ""

    def number(self, tag: int) -> float | None:
        return self.entries[tag].number if tag in self.entries else None

    @property
    def user_comment(self) -> str:
        raw = self.entries[USER_COMMENT].raw if USER_COMMENT in self.entries else b""
        return _comment(raw)

    @property
    def maker_note(self) -> str:
        """A maker note that is text, as Fooocus writes one."""
        entry = self.entries.get(MAKER_NOTE)
        return entry.raw.rstrip(b"\0").decode("utf-8", "replace")[:200] if entry else ""

    def windows(self, tag: int) -> str:
        """A text of Windows' own tags, UTF-16 (little-endian)."""
        raw = self.entries[tag].raw if tag in self.entries else b""
        return raw.decode("utf-16-le", "replace").rstrip("\0")


def parse(data: bytes) -> Exif:
    """The tags of a TIFF structure; a damaged one gives what can be read of it."""
    entries = directory(data)
    pointer = entries[EXIF_DIRECTORY].number if EXIF_DIRECTORY in entries else None
    return Exif({**directory(data, int(pointer)), **entries} if pointer else entries)


def _comment(raw: bytes) -> str:
    """A user comment behind its character code [8] (Exif 2.32, 4.6.5)."""
    code, text = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        # The standard leaves the byte order open, and programs write both.
        zeros = (text[0::2].count(0), text[1::2].count(0))
        return text.decode("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le", "replace")
    if code in (b"ASCII\0\0\0", bytes(8)):
        return text.rstrip(b"\0").decode("utf-8", "replace")
    return raw.rstrip(b"\0").decode("utf-8", "replace") if raw[:1] in b"{" else ""
