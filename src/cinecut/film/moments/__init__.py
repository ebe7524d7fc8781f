"""Which moments become keyframes: shots, lines, and no gap above the interval."""
