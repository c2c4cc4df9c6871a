"""Raw Taiwanese text in, a documented corpus out: sources, annotate, decide, deduplicate, assemble."""
