"""What people see of the sandbox: pages of plain HTML, without scripts."""
