"""The partner companies of the coalition, their stores and their dated contracts."""
