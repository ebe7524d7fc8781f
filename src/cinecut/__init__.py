"""CineCut describes films on the user's own machine, one keyframe at a time."""

from importlib.metadata import version

__version__ = version("cinecut")
