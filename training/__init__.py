"""Continued pre-training, supervised fine-tuning, preference tuning and export."""
