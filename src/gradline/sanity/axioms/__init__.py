"""The axiom audit: laws that attribution methods may keep, and the search for counterexamples."""
