"""One file for each attack, or for a few of one kind."""
