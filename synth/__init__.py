"""Synthetic instruction data grown from handwritten seeds."""
