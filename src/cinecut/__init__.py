"""CineCut describes films on the user's own machine, one keyframe at a time."""

__version__ = "0.1.0"
