"""Hand-written async plumbing between the generated operations and azure-core. It knows no operation."""
