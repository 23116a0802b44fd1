"""What chunks cost, by what they make."""
