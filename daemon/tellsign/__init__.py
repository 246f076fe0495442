"""Tellsign: marks pictures that are suspected to be AI-made, on the user's own machine."""

__version__ = "0.1.0"
