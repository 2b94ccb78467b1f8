"""Item-item graphs: built, finished and read."""
