"""Sources: each turns one input file into a stream of documents and of what could not be read."""
