"""From hits to what an editor's program or a browser takes: pieces of films."""
