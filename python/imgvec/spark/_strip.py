"""Python source without its comments and docstrings, a quarter less to send: the words stay in the repository."""

import ast
import io
import tokenize


def stripped(source):
    """The source (bytes), shorter, with every line of code where it was: tracebacks name the lines of the file."""
    lines = source.decode().splitlines(True)
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node, clean=False) is not None
        ):
            _empty(lines, node.body[0])
    for token in tokenize.generate_tokens(io.StringIO("".join(lines)).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip() + "\n"
    return "".join(lines).encode()


def _empty(lines, docstring):
    """Leaves an empty docstring: a body needs a statement, and only a docstring may stand before future imports."""
    first, last = docstring.lineno - 1, docstring.end_lineno - 1
    lines[first : last + 1] = [lines[first][: docstring.col_offset] + '""\n'] + ["\n"] * (last - first)
