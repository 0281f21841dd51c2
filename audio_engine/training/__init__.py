"""Makes the data files that ship with the engine from single-speaker recordings. Not needed to run it."""
