"""Tables: leaderboards, published against measured, and their files."""
