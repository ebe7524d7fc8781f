"""Finds scenes in all films that were described: by their words, and by what they mean."""

from cinecut.search.hits import Hit
from cinecut.search.library import Library

__all__ = ["Hit", "Library"]
