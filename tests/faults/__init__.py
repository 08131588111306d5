"""Faults on purpose: killed processes, cut wires, full disks; and a bank's books to check after."""
