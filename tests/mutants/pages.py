"""What pages are made of: the reference, and tables of figures."""

from __future__ import annotations

from tests.mutants.mutant import Module, Mutation

MODULES = (
    Module(
        "docs/figures.py",
        ("tests/docs/test_figures.py",),
        (
            Mutation("a gain without its sign", '"+" if name.startswith("gain") else ""', '""'),
            Mutation("intervals are left out", 'if "low" in row:', "if False:"),
            Mutation("a line that lacks a figure", " if all(pattern.format(line) in rows for", " if any(True for"),
            Mutation("names of lines are not told", "layout.lines.get(line, line),", "line,"),
            Mutation("a check writes", 'if arguments != ["--check"]:', "if True:"),
            Mutation("a check passes", "        return 1\n", "        return 0\n"),
            Mutation("a column without a target", 'line[2] = "" if line[2] in', 'line[2] = "-" if line[2] in'),
        ),
    ),
    Module(
        "agentgym/reference.py",
        ("tests/unit/test_reference.py",),
        (
            Mutation("parameters twice", '.partition("\\nArgs:")[0].strip()', ".strip()"),
            Mutation("plug-ins of others", 'if table.get(id).__module__.startswith("agentgym.")', "if True"),
            Mutation(
                "folders are files", "{'/__init__' if hasattr(module, '__path__') else ''}.py", "{'/__init__'}.py"
            ),
            Mutation("no settings of rewards", '"rewards.{}.",', '"rewards.",'),
        ),
    ),
)
