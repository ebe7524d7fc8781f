"""When somebody speaks: subtitle files and tracks, and their lines."""
