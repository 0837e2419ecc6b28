"""The worklist, readings and the lexicon over REST."""
