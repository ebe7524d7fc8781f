"""From a film file to keyframes."""
