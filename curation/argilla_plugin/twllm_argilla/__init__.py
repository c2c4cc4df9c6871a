"""A search engine on Argilla's own database, and its server with closed doors. Imported by Argilla's processes, never by twllm's."""
