"""Speed, start-up time, and memory, measured against peers."""
