"""Packets of XMP -> their properties (ISO 16684-1), by a parser that follows nothing."""

from typing import NamedTuple
from xml.parsers import expat

from tellsign.provenance.containers import Block

MAX_ELEMENTS = 20_000
MAX_DEPTH = 64
MAX_VALUES = 64
"""Items of a list that are kept."""
MAX_PACKETS = 4

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LISTS = (f"{RDF} Alt", f"{RDF} Seq", f"{RDF} Bag")
ITEMS = (f"{RDF} li",)
PREFIXES = {
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/": "Iptc4xmpCore",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
}
"""The usual prefixes of the namespaces that are read; a packet may use any others."""

Properties = dict[str, list[str]]
"""Values by prefix:name; a list's items one by one."""


class Refused(ValueError):
    """A packet with a document type, too many elements or too deep ones."""


def properties(blocks: list[Block]) -> Properties:
    """The properties of the first packets; one that is damaged or refused gives nothing."""
    found: Properties = {}
    for block in blocks[:MAX_PACKETS]:
        try:
            packet = _Packet(block.data)
        except (expat.ExpatError, ValueError, LookupError):
            continue
        for name, values in packet.found.items():
            found.setdefault(name, values)
    return found


class _Open(NamedTuple):
    """An element that is being read: its name, and the property that its text belongs to."""

    name: str
    property: str


class _Packet:
    """Only what is directly under the first rdf:RDF's descriptions counts: a structure below, an
    ingredient's for example, speaks of another picture."""

    def __init__(self, data: bytes) -> None:
        self.found: Properties = {}
        self._stack: list[_Open] = []
        self._text: list[str] = []
        self._elements = 0
        self._roots = 0
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.Parse(data.strip(b"\0 \t\r\n"), True)

    def _refuse(self, *_: object) -> None:
        raise Refused("XMP has no document type and no entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(self._stack) >= MAX_DEPTH:
            raise Refused("too many elements")
        self._text.clear()
        above = self._stack[-1] if self._stack else _Open("", "")
        open_ = _Open(name, "")
        if name == f"{RDF} RDF":
            self._roots += 1
        elif self._in_description():
            open_ = _Open(name, _short(name))
            self._keep(open_.property, attributes.get(f"{RDF} resource", ""))
        elif self._in_list(name, above):
            open_ = _Open(name, above.property)
        self._stack.append(open_)
        if self._in_description():
            for attribute, value in attributes.items():
                self._keep(_short(attribute), value)

    def _end(self, _: str) -> None:
        closed = self._stack.pop()
        self._keep(closed.property, "".join(self._text).strip())
        self._text.clear()

    def _in_description(self) -> bool:
        names = [open_.name for open_ in self._stack[-2:]]
        return self._roots == 1 and names == [f"{RDF} RDF", f"{RDF} Description"]

    def _in_list(self, name: str, above: _Open) -> bool:
        """Whether an element is a property's list or an item of that."""
        of_property = above.name.partition(" ")[0] != RDF
        return bool(above.property) and name in (LISTS if of_property else ITEMS)

    def _keep(self, name: str, value: str) -> None:
        if name and value:
            values = self.found.setdefault(name, [])
            if len(values) < MAX_VALUES:
                values.append(value)


def _short(name: str) -> str:
    """prefix:name of a namespace that is read, else empty."""
    space, _, local = name.rpartition(" ")
    prefix = PREFIXES.get(space)
    return f"{prefix}:{local}" if prefix else ""
