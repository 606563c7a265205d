"""Use cases: train, resume, sample, score and evaluate; one module each."""
