"""What all rooms share: records, recipe loading, run manifests, storage, Taiwan's Chinese, the command line."""

__version__ = "0.1.0"
