"""One HSM while it runs: who may do what, its jobs, its journal, making keys."""
