"""What people would use instead, for benchmarks."""
