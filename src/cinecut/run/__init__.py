"""A run: what was asked for, the stages side by side, what became of each film."""
