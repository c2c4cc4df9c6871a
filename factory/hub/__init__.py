"""Datasets and models as the Hub wants them: card, shards, and a push that uploads the bytes a dry run wrote."""
