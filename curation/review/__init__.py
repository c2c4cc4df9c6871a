"""What is asked of annotators, and what becomes of their answers."""
