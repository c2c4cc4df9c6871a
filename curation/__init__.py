"""Human review of conversations, removals and preferences."""
