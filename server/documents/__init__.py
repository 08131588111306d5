"""Files that people write (YAML 1.2 core, dates kept as text), read so that every error has a line.

`read` makes nodes that know their lines, `convert` makes typed values of them; both raise
`BadDocumentError` with every problem at once where that is possible.
"""

from server.documents.conversion import convert
from server.documents.nodes import BadDocumentError, Node, Problem
from server.documents.reading import read, read_file

__all__ = ["BadDocumentError", "Node", "Problem", "convert", "read", "read_file"]
