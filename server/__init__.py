"""Puts the product together: the application, the command line, the worker and the demo."""
