"""The life of llama-server as a child: found, started, proved, restarted, ended."""
