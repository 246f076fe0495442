"""`tellsign demo`: the whole of Tellsign on one page, in a real browser."""
