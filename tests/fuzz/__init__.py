"""Broken files for whatever reads files: mutations, long runs, and a harness for atheris."""
