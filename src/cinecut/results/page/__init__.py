"""The storyboard: HTML pages that load nothing from a network."""
