"""What runs inside Argilla's own environment: this folder goes on its PYTHONPATH. Nothing here imports twllm."""
