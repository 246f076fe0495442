"""Trains, calibrates, measures and exports Tellsign's detectors."""
