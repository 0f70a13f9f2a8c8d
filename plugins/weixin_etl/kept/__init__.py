"""What the kept answers are good for: shown, replayed, imported."""
