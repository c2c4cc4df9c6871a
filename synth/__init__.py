"""From handwritten seeds to instruction data: requests, an append-only ledger of what was paid, gates, lineage."""
