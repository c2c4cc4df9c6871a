"""Benchmarks, culture probes and their statistics."""
