"""One HSM while it runs: authorization, its jobs, its journal, making keys."""
