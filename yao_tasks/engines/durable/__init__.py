"""The embedded engine of a durable task: its jobs are rows, and memory holds those that this process has claimed."""
