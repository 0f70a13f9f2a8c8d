"""Uses of the kept answers: list them, replay them, import those of other programs."""
