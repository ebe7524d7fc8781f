"""The GPU: whose it is, whether its memory is enough, how many slots fit."""
